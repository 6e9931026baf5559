"""Settings of every process, and the configuration of gunicorn."""

"""What a process tells about itself: request ids, logs, metrics."""

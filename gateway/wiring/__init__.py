"""Wires the real parts of a process together, a file for each group of parts. Nothing here opens a connection or starts a thread."""

"""The Cache role: values kept for a while, in DragonflyDB, Redis or this process."""

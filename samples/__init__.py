"""A small upstream service over real data, a flow that uses it, and the demo that runs both beside `make run`."""

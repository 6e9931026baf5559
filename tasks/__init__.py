"""The Celery app and its tasks. A task is a doorbell: ids in, one service call, harmless when rung twice."""

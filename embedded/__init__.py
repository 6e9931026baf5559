"""Starts and stops the servers that `make run` and the tests bring along: PostgreSQL and a Redis-protocol server (ADR 0001)."""

"""Layered configuration with revisions."""

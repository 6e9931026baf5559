"""Registered services and their leases."""

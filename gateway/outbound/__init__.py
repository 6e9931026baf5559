"""Calls to other HTTP services: one client, every wait bounded."""

"""The HTTP edge: one blueprint per resource. A view parses, calls a service and renders."""

"""Client of the Configuration Service and Flow Registry, with last-known-good copies of what they said."""

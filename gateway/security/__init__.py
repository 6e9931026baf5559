"""What the edge lets in: callers and scopes, rate limits, browser headers, bodies."""

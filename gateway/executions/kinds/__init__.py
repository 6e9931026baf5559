"""The kinds of nodes: one file each, one way to run them."""

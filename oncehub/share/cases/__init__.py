"""Cases that agencies see and decide on their agreements' behalf."""

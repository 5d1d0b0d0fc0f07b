"""oncehub: a citizen gives the state a detail once; this hub makes it so."""

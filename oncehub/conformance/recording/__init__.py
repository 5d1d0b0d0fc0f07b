"""A source recorded without what it says about anybody, so that the suite runs on it offline."""

"""Authentication: the kinds of credentials, each of which adds to a request what its source expects."""

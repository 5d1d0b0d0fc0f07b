"""The kinds of credentials, each adding what it must to a request."""

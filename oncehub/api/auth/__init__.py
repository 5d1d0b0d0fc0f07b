"""Authenticates API clients: client assertions, access tokens and their keys."""

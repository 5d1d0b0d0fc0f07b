"""Reads one source over HTTP: credentials, rate limit, retries, pages and files."""

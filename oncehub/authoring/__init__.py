"""Helps integration engineers: drafts of connectors, contracts and mappings, and a page for each."""

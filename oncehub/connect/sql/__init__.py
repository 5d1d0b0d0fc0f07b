"""Streams that are tables or views of a database."""

"""Paginators: pages of a listing, by page number, offset, cursor or link."""

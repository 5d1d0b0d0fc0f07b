"""The access log: entries, pages and pseudonyms."""

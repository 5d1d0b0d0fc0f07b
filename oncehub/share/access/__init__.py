"""Row- and column-level security: the schema and role of each agreement."""

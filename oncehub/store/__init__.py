"""PostgreSQL: the embedded server, connections, the schema's SQL and COPY."""

"""The rules of reconciliation, read from YAML and rendered as SQL."""

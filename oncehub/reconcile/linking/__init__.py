"""Links records to people by identifiers, overrides and merge decisions."""

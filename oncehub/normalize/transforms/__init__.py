"""The transforms that mappings may use: named functions over whole columns."""

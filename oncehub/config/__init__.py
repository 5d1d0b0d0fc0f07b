"""Configuration documents as Python models: connectors, mappings, rules, agreements, procedures, entities."""

"""What is true: records linked to people, values believed with their provenance, and who disagrees."""

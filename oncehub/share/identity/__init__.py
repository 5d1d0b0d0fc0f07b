"""Identity providers, and the evidence by which they prove citizens and officers."""

"""A citizen's story, as the demo tells it."""

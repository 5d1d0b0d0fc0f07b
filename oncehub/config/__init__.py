"""What every step of the way speaks: entities, configuration documents, settings and errors."""

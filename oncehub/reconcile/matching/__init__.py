"""Records that no identifier leads to anyone, matched with people by a trained Splink model."""

"""Records without what they say about anybody: masked for a screen, with substitutes for a recording."""

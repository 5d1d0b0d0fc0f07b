"""Answer agencies: agreements decide, look-ups and prefills answer, feeds tell what changed."""

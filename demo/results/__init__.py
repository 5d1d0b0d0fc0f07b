"""What the demo found: scores, coverage and the summary."""

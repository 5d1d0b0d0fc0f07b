"""Records in the form in which each simulated system serves them."""

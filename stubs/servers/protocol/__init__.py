"""What the simulated systems share on the wire: parameters, cursors, tokens, certificates."""

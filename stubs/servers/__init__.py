"""The five simulated systems and their control, each a real HTTP server on loopback."""

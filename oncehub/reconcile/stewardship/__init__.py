"""Cases that a clerk decides."""

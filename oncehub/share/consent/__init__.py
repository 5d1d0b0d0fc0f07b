"""Consents of data subjects: given, proven, withdrawn."""

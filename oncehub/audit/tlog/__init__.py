"""Transparency logs in C2SP's formats: tree, notes, tiles, proofs and witnesses; knows no database."""

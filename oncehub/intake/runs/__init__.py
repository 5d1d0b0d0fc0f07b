"""Runs: windows, cursors, checkpoints and stream locks."""

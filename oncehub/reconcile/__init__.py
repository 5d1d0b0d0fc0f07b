"""Reconcile: links records to people, chooses golden values, and finds discrepancies."""

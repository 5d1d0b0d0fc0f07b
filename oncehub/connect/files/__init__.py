"""Snapshots as files: manifests, file sets and drop folders."""

"""Feeds: the changes that an agreement entitles an agency to."""

"""Purges what retention rules no longer allow, with signed proof."""

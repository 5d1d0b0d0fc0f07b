"""Reads one source over HTTP: credentials, pace, retries, pages and files."""

from oncehub.connect.page import Page, PageState
from oncehub.connect.source import Source, open_source
from oncehub.connect.stream.window import Window

__all__ = ["Page", "PageState", "Source", "Window", "open_source"]

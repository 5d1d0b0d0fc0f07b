"""Reads one source over HTTP: credentials, rate limit, retries, pages and files."""

from oncehub.connect.page import Page
from oncehub.connect.resume_token import ResumeToken
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window

__all__ = ["Page", "ResumeToken", "Source", "Window"]

"""The forms that records come in: JSON, JSON Lines, CSV and XML, each also gzipped."""

from oncehub.connect.formats.content import Content
from oncehub.connect.formats.file_reader import SLICE_BYTES, record_slices
from oncehub.connect.formats.page_reader import PageReader, ReadPlugin
from oncehub.connect.formats.paths import at, getter, is_marked, marks
from oncehub.connect.formats.unreadable import Unreadable

__all__ = [
    "SLICE_BYTES",
    "Content",
    "PageReader",
    "ReadPlugin",
    "Unreadable",
    "at",
    "getter",
    "is_marked",
    "marks",
    "record_slices",
]

"""The forms that records come in: JSON, JSON Lines, CSV and XML, each also gzipped."""

from oncehub.connect.formats.checks import check_read
from oncehub.connect.formats.content import Content, at
from oncehub.connect.formats.reader import PageReader, ReadPart, reader_of
from oncehub.connect.formats.rows import rows_of

__all__ = ["Content", "PageReader", "ReadPart", "at", "check_read", "reader_of", "rows_of"]

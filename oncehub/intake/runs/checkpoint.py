"""Checkpoints: how far an unfinished run has read, stored in the transaction that lands its records.

A checkpoint holds the resume token of the next page (`oncehub.connect.resume_token`) and the high-water marks
of what has landed. `Run.save_checkpoint` writes it, `oncehub.intake.runs.start` resumes from it, and
`oncehub.intake.runs.cursor` moves the stream's cursor by its marks when the stream has been read to its end.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg2.extras import Json

from oncehub.connect.resume_token import ResumeToken

SAVE_CHECKPOINT = """
insert into intake.checkpoint
    (source, stream, reader, run_id, page, high_mark, high_sequence, shown_until, token)
values
    (%(source)s, %(stream)s, %(reader)s, %(run_id)s, %(page)s, %(high_mark)s, %(high_sequence)s,
     %(shown_until)s, %(token)s)
on conflict (source, stream, reader) do update
set run_id = excluded.run_id, page = excluded.page, saved_at = now(), token = excluded.token,
    high_mark = greatest(checkpoint.high_mark, excluded.high_mark),
    high_sequence = greatest(checkpoint.high_sequence, excluded.high_sequence),
    shown_until = case when %(restarted)s then excluded.shown_until
                       else greatest(checkpoint.shown_until, excluded.shown_until) end
"""

DROP_CHECKPOINT = """
delete from intake.checkpoint where source = %(source)s and stream = %(stream)s and reader = %(reader)s
"""


@dataclass(frozen=True)
class HighMarks:
    """The high-water marks of a micro-batch.

    Attributes:
        high_mark: latest time of statement.
        high_sequence: largest sequence number, for a cursor by sequence.
        shown_until: latest time of statement, of pages of a snapshot.
        restarted: whether the micro-batch restarts the read.
        token: of the last page, from which to ask for later changes.
    """

    high_mark: datetime | None
    high_sequence: int | None
    shown_until: datetime | None
    restarted: bool
    token: str | None = None


def checkpoint_values(page: ResumeToken | None, marks: HighMarks) -> dict[str, Any]:
    """Return the placeholders of `SAVE_CHECKPOINT`; `page` is None when all pages have landed."""
    return {"page": None if page is None else Json(page.stored()), **asdict(marks)}

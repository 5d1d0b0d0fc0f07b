"""Opens discrepancies, keeps their age over runs, and closes them when values agree again."""

from __future__ import annotations

from typing import Final

from psycopg2 import sql

from oncehub.store.connection import Cursor
from oncehub.store.statements import statement

_CLOSED_DIFFERENCE: Final = {
    "reason": sql.SQL("""case
        when p.person_key is null then 'person_gone'
        when s.person_key is null and r.source is null then 'record_gone'
        when s.person_key is null and exists (
            select from truth.active_link_override t
            where (t.source, t.stream, t.source_key) = (d.source, d.stream, d.source_key)
                and (t.person_key = d.person_key or t.verdict = 'same')
        ) then 'override'
        when s.person_key is null then 'unlinked'
        when d.kind = 'duplicate' then 'corrected'
        when d.source_value is distinct from nullif(to_jsonb(s) -> d.attribute, 'null') then 'corrected'
        when d.golden_value is distinct from nullif(to_jsonb(p) -> d.attribute, 'null') then 'belief_changed'
        else 'rules_changed'
    end"""),
    "beside": sql.SQL("""left join golden p on p.person_key = d.person_key
    left join statement s
        on (s.person_key, s.source, s.stream, s.source_key) = (d.person_key, d.source, d.stream, d.source_key)
    left join record.person r
        on (r.source, r.stream, r.source_key) = (d.source, d.stream, d.source_key)
        and r.deleted_at is null"""),
}

_CLOSED_REFUSAL: Final = {
    "reason": sql.SQL("""case
        when d.kind = 'wrong_person' and not exists (
            select from truth.link k where k.person_key = d.person_key and k.method = 'register'
        ) then 'person_gone'
        when s.source is null then 'record_gone'
        when exists (
            select from truth.active_link_override t
            where (t.source, t.stream, t.source_key) = (d.source, d.stream, d.source_key)
                and t.verdict = 'same'
        ) then 'override'
        when s.stated_at is distinct from d.stated_at then 'corrected'
        else 'belief_changed'
    end"""),
    "beside": sql.SQL("""left join stating s
        on (s.source, s.stream, s.source_key) = (d.source, d.stream, d.source_key)"""),
}


def settle_refusals(cursor: Cursor) -> tuple[int, int]:
    """Report records that bear somebody else's number or a cancelled one; return (opened, closed)."""
    cursor.execute(statement(__name__, "open_refusals"))
    return _settle(cursor, _CLOSED_REFUSAL)


def settle_differences(cursor: Cursor) -> tuple[int, int]:
    """Bring `truth.discrepancy` in line with the differences in `found`; return (opened, closed)."""
    cursor.execute(statement(__name__, "open_differences"))
    return _settle(cursor, _CLOSED_DIFFERENCE)


def _settle(cursor: Cursor, closing: dict[str, sql.SQL]) -> tuple[int, int]:
    cursor.execute(statement(__name__, "close").format(**closing))
    closed = cursor.rowcount
    cursor.execute(statement(__name__, "open"))
    opened = cursor.rowcount
    cursor.execute(statement(__name__, "count_unexplained"))
    return opened, closed

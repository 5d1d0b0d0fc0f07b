"""The SQL of landing: one batch's frames, staged in temporary tables, against what is held.

`offset 0` keeps a subquery one index look-up a row: without it the planner may scan the whole table once
for every batch, and landing would slow down as the hub fills.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2 import sql

from oncehub.config.entities import Entity

STAGES = """
create temporary table if not exists stated
    (source_key text, stated_at timestamptz, fingerprint bigint) on commit delete rows;
create temporary table if not exists restated
    (source_key text, stated_at timestamptz, fingerprint bigint) on commit delete rows;
create temporary table if not exists gone (source_key text, stated_at timestamptz) on commit delete rows;
create temporary table if not exists leaving (source_key text) on commit delete rows;
create temporary table if not exists touched (entity text, source_key text) on commit delete rows;
"""

# Only of records that are held; what was only absent lives again as the snapshot shows it, even where that is
# an earlier statement.
STANDINGS = """
select new.source_key, case
    when held.deletion is distinct from 'absent'
        and (held.stated_at > new.stated_at or held.stated_at = new.stated_at and held.deletion = 'stated')
        then 'outdated'
    when held.deletion is null and held.stated_at = new.stated_at and held.fingerprint = new.fingerprint
        then 'unchanged'
    else 'restated'
end
from pg_temp.stated as new, lateral (
    select stated_at, deletion, fingerprint
    from intake.held
    where held.source = %(source)s and held.stream = %(stream)s and held.source_key = new.source_key
    offset 0
) as held
"""

DROP_OUTDATED = "delete from pg_temp.stated where source_key = any (%(outdated)s)"

HOLD = """
insert into intake.held (source, stream, source_key, stated_at, fingerprint)
select %(source)s, %(stream)s, source_key, stated_at, fingerprint from pg_temp.restated
on conflict (source, stream, source_key)
do update set stated_at = excluded.stated_at, fingerprint = excluded.fingerprint, deletion = null
"""

COUNT_TOUCHED = "select count(distinct source_key) from pg_temp.touched"

FIND_LEAVING = """
insert into pg_temp.leaving
select distinct gone.source_key
from pg_temp.gone
where exists (
    select from intake.held
    where held.source = %(source)s and held.stream = %(stream)s and held.source_key = gone.source_key
      and held.deletion is null and held.stated_at <= gone.stated_at
    offset 0
)
"""

# Also for records never received: an older statement of them may still come.
HOLD_DELETIONS = """
insert into intake.held (source, stream, source_key, stated_at, deletion)
select %(source)s, %(stream)s, source_key, max(stated_at), 'stated'
from pg_temp.gone
group by source_key
on conflict (source, stream, source_key)
do update set stated_at = excluded.stated_at, deletion = 'stated'
where excluded.stated_at >= held.stated_at
  and (held.stated_at, held.deletion) is distinct from (excluded.stated_at, excluded.deletion)
"""

MARK_DIRTY = """
insert into intake.dirty (source, stream, source_key)
select distinct %(source)s, %(stream)s, source_key
from pg_temp.touched
where entity = any (%(of_person)s)
"""

# Of a rejected record whose time could not be read, nobody knows that it was the later one.
RESOLVE = """
update intake.rejected set resolved_at = now()
from (
    select source_key, stated_at from pg_temp.stated union all select source_key, stated_at from pg_temp.gone
) as good
where rejected.source = %(source)s and rejected.stream = %(stream)s
  and rejected.source_key = good.source_key and rejected.resolved_at is null
  and (rejected.stated_at is null or rejected.stated_at <= good.stated_at)
"""


def stage_of(entity: Entity) -> sql.Identifier:
    """The temporary table that takes an entity's frame."""
    return sql.Identifier("pg_temp", f"new_{entity.name}")


def create_stage(entity: Entity) -> sql.Composed:
    """Make the temporary table of an entity, in the form of its record table."""
    return sql.SQL(
        "create temporary table if not exists {name} on commit delete rows as "
        "select source_key, {attributes}, stated_at from {held} with no data"
    ).format(name=sql.Identifier(f"new_{entity.name}"), attributes=_names(entity), held=table_of(entity))


def of_records(source: str, stream: str, keys: Sequence[str]) -> sql.Composed:
    """The condition that a row is of one of these records."""
    return sql.SQL("(source, stream) = ({}, {}) and source_key = any ({})").format(
        sql.Literal(source), sql.Literal(stream), sql.Literal(list(keys))
    )


def table_of(entity: Entity) -> sql.Identifier:
    """The table that holds an entity's rows."""
    return sql.Identifier("record", entity.name)


def upsert(entity: Entity) -> sql.Composed:
    """Write the staged rows that differ from the held ones, and note whose they are."""
    return sql.SQL("""
with landed as (
    insert into {held} (source, stream, source_key, {attributes}, stated_at)
    select %(source)s, %(stream)s, new.source_key, {new_values}, new.stated_at
    from {stage} as new
    where not exists (
        select from {held} as held
        where held.source = %(source)s and held.stream = %(stream)s and {same_key}
          and held.deleted_at is null
          and ({held_values}, held.stated_at) is not distinct from ({new_values}, new.stated_at)
        offset 0
    )
    on conflict ({key}) do update set
        ({attributes}, stated_at, received_at, deleted_at) = ({excluded}, excluded.stated_at, now(), null)
    returning source_key
)
insert into pg_temp.touched select {entity}, source_key from landed
""").format(
        held=table_of(entity),
        stage=stage_of(entity),
        attributes=_names(entity),
        new_values=_names(entity, "new"),
        held_values=_names(entity, "held"),
        excluded=_names(entity, "excluded"),
        same_key=_same_key(entity),
        key=sql.SQL(", ").join(map(sql.Identifier, entity.key_columns)),
        entity=sql.Literal(entity.name),
    )


def drop_unstated(entity: Entity) -> sql.Composed:
    """Mark deleted the rows that the newest statements of their records no longer make."""
    # The inner select finds hardly ever a row; ctid then leads to it without reading the table again.
    return sql.SQL("""
with dropped as (
    update {held} as held set deleted_at = now()
    where held.source = %(source)s and held.ctid = any (array(
        select former.ctid
        from pg_temp.restated, lateral (
            select held.ctid, {held_key}
            from {held} as held
            where held.source = %(source)s and held.stream = %(stream)s
              and held.source_key = restated.source_key and held.deleted_at is null
            offset 0
        ) as former
        where ({former_key}) not in (select {new_key} from {stage} as new)
    ))
    returning source_key
)
insert into pg_temp.touched select {entity}, source_key from dropped
""").format(
        held=table_of(entity),
        stage=stage_of(entity),
        held_key=_own_key(entity, "held"),
        former_key=_own_key(entity, "former"),
        new_key=_own_key(entity, "new"),
        entity=sql.Literal(entity.name),
    )


def count_any(entity: Entity) -> sql.Composed:
    """Give 1 when the stream has any living row of an entity, else 0."""
    return sql.SQL("""
select count(*) from (
    select from {held} where source = %(source)s and stream = %(stream)s and deleted_at is null limit 1
) as living
""").format(held=table_of(entity))


def delete_leaving(entity: Entity) -> sql.Composed:
    """Mark deleted all rows of the records in `leaving`."""
    return sql.SQL("""
with deleted as (
    update {held} as held set deleted_at = now()
    where held.source = %(source)s and held.stream = %(stream)s and held.deleted_at is null
      and held.source_key in (select source_key from pg_temp.leaving)
    returning source_key
)
insert into pg_temp.touched select {entity}, source_key from deleted
""").format(held=table_of(entity), entity=sql.Literal(entity.name))


def _names(entity: Entity, of: str | None = None) -> sql.Composed:
    return _columns(tuple(entity.attributes), of)


def _own_key(entity: Entity, of: str) -> sql.Composed:
    return _columns(entity.key_columns[2:], of)


def _same_key(entity: Entity) -> sql.Composed:
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier("held", column), sql.Identifier("new", column))
        for column in entity.key_columns[2:]
    )


def _columns(names: tuple[str, ...], of: str | None) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(of, name) if of else sql.Identifier(name) for name in names)

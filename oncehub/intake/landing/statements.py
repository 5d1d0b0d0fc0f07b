"""The SQL of landing: one batch's frames, staged in temporary tables, compared with what is stored.

`offset 0` keeps a subquery one index look-up a row: without it the planner may scan the whole table once
for every batch, and landing would slow down as the hub fills.
"""

from __future__ import annotations

from typing import Final

from psycopg2 import sql

from oncehub.config.entities import Entity
from oncehub.store.statements import statement

STAGES: Final = statement(__name__, "stages")
COMPARE: Final = statement(__name__, "compare")
KEEP_STATE: Final = statement(__name__, "keep_state")
FIND_DELETED: Final = statement(__name__, "find_deleted")
KEEP_DELETIONS: Final = statement(__name__, "keep_deletions")
RESOLVE: Final = statement(__name__, "resolve")

DROP_OUTDATED: Final = "delete from pg_temp.stated where source_key = any (%(outdated)s)"

COUNT_TOUCHED: Final = "select count(distinct source_key) from pg_temp.touched"

MARK_DIRTY: Final = """
insert into intake.dirty (source, stream, source_key)
select distinct %(source)s, %(stream)s, source_key
from pg_temp.touched
where entity = any (%(of_person)s)
"""

_CREATE_STAGE: Final = sql.SQL("""
create temporary table if not exists {name} on commit delete rows as
select source_key, {attributes}, stated_at from {table} with no data
""")

_COUNT_ANY: Final = sql.SQL("""
select count(*) from (
    select from {table} where source = %(source)s and stream = %(stream)s and deleted_at is null limit 1
) as live
""")

# Common table expressions: each writes rows of {table}, and returns the keys of their records.
_UPSERTED: Final = statement(__name__, "upserted")
_DROPPED: Final = statement(__name__, "dropped")
_DELETED: Final = statement(__name__, "deleted")

_TOUCHED: Final = sql.SQL("""
with written as ({rows})
insert into pg_temp.touched select {entity}, source_key from written
""")


def stage_of(entity: Entity) -> sql.Identifier:
    """Return the temporary table that takes an entity's frame."""
    return sql.Identifier("pg_temp", f"new_{entity.name}")


def table_of(entity: Entity) -> sql.Identifier:
    """Return the table of an entity's rows."""
    return sql.Identifier("record", entity.name)


def create_stage(entity: Entity) -> sql.Composed:
    """Create the temporary table of an entity, with the columns of its record table."""
    name = sql.Identifier(f"new_{entity.name}")
    return _CREATE_STAGE.format(name=name, attributes=_names(entity), table=table_of(entity))


def count_any(entity: Entity) -> sql.Composed:
    """Give 1 when the stream has any live row of an entity, else 0."""
    return _COUNT_ANY.format(table=table_of(entity))


def upsert(entity: Entity) -> sql.Composed:
    """Write the staged rows that differ from the stored ones, and note their records."""
    return _noting(
        entity,
        _UPSERTED.format(
            table=table_of(entity),
            stage=stage_of(entity),
            attributes=_names(entity),
            new_values=_names(entity, "new"),
            stored_values=_names(entity, "stored"),
            excluded=_names(entity, "excluded"),
            same_key=_same_key(entity),
            key=_columns(entity.key_columns),
        ),
    )


def drop_unstated(entity: Entity) -> sql.Composed:
    """Mark deleted the rows that the latest statements of their records no longer make."""
    own = entity.key_columns[2:]
    return _noting(
        entity,
        _DROPPED.format(
            table=table_of(entity),
            stage=stage_of(entity),
            stored_key=_columns(own, "stored"),
            former_key=_columns(own, "former"),
            new_key=_columns(own, "new"),
        ),
    )


def delete_records(entity: Entity) -> sql.Composed:
    """Mark deleted all rows of the records listed in the temporary table `deleted`."""
    return _noting(entity, _DELETED.format(table=table_of(entity)))


def _noting(entity: Entity, rows: sql.Composed) -> sql.Composed:
    """Note in `touched` which records the written rows belong to."""
    return _TOUCHED.format(rows=rows, entity=sql.Literal(entity.name))


def _names(entity: Entity, of: str | None = None) -> sql.Composed:
    return _columns(tuple(entity.attributes), of)


def _same_key(entity: Entity) -> sql.Composed:
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier("stored", column), sql.Identifier("new", column))
        for column in entity.key_columns[2:]
    )


def _columns(names: tuple[str, ...], of: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(of, name) if of else sql.Identifier(name) for name in names)

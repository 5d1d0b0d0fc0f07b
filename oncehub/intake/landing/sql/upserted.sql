insert into {table} (source, stream, source_key, {attributes}, stated_at)
select %(source)s, %(stream)s, new.source_key, {new_values}, new.stated_at
from {stage} as new
where not exists (
    select from {table} as stored
    where stored.source = %(source)s and stored.stream = %(stream)s and {same_key}
        and stored.deleted_at is null
        and ({stored_values}, stored.stated_at) is not distinct from ({new_values}, new.stated_at)
    offset 0
)
on conflict ({key}) do update set
    ({attributes}, stated_at, received_at, deleted_at) = ({excluded}, excluded.stated_at, now(), null)
returning source_key

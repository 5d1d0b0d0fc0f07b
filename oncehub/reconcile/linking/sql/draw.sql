-- Adds the records that state an identifier whose bearer may have changed.
insert into drawn
select r.source, r.stream, r.source_key
from touched_value v
join record.person r on {usable} and text.identifying({scheme}, {attribute}) = v.value
where v.scheme = {scheme} and r.source <> {register} and r.deleted_at is null
    and not exists (
        select from affected a
        where (a.source, a.stream, a.source_key) = (r.source, r.stream, r.source_key)
    )
    and not exists (
        select from drawn d
        where (d.source, d.stream, d.source_key) = (r.source, r.stream, r.source_key)
    );

-- Finds people by a key that records of other sources state: the person that such a record describes by this
-- run's verdict, else by its link. A link by a model does not count.
with neighbour as materialized (
    select k.key, p.source, p.stream, p.source_key
    from (select distinct key from {keys} where rule = {rule}) k
    cross join lateral (
        select p.source, p.stream, p.source_key
        from record.person p
        where {digest} = k.key and p.source <> {register} and p.deleted_at is null
        limit {enough}
    ) p
)
insert into key_person
select n.key, {rule}, coalesce(v.person_key, k.person_key)
from neighbour n
left join verdict v
    on (v.source, v.stream, v.source_key) = (n.source, n.stream, n.source_key) and not v.somebody_else
left join truth.link k
    on (k.source, k.stream, k.source_key) = (n.source, n.stream, n.source_key)
    and k.method <> 'model' and not exists (
        select from affected a where (a.source, a.stream, a.source_key) = (n.source, n.stream, n.source_key)
    );

-- Marks identifiers that several people bear. A number in force and an equal former one do not contest each
-- other: the one in force counts.
update truth.identifier i
set contested = s.contested
from (
    select i.scheme, i.value, i.current, count(*) > 1 as contested
    from (
        -- The last of several bearers was marked when it was inserted.
        select distinct i.scheme, i.value, i.current
        from touched_value v join truth.identifier i using (scheme, value)
        where i.contested
    ) suspect
    join truth.identifier i using (scheme, value, current)
    group by i.scheme, i.value, i.current
) s
where (i.scheme, i.value, i.current) = (s.scheme, s.value, s.current) and i.contested <> s.contested;

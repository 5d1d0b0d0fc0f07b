-- A number in force and a former one of the same digits do not contest each other: the one in force counts.
update truth.identifier i
set contested = s.contested
from (
    select i.scheme, i.value, i.current, count(*) > 1 as contested
    from (
        -- Where several bear one number, who came last is told contested already, or all have been.
        select distinct i.scheme, i.value, i.current
        from touched_value v join truth.identifier i using (scheme, value)
        where i.contested
    ) suspect
    join truth.identifier i using (scheme, value, current)
    group by i.scheme, i.value, i.current
) s
where (i.scheme, i.value, i.current) = (s.scheme, s.value, s.current) and i.contested <> s.contested;

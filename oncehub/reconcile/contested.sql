-- A number in force and a former one of the same digits do not contest each other: the one in force counts.
update truth.identifier i
set contested = s.contested
from (
    select i.scheme, i.value, i.current, count(*) > 1 as contested
    from touched_value v join truth.identifier i using (scheme, value)
    group by i.scheme, i.value, i.current
    having count(*) > 1 or bool_or(i.contested)
) s
where (i.scheme, i.value, i.current) = (s.scheme, s.value, s.current) and i.contested <> s.contested;

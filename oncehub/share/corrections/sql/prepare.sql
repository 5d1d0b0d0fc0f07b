-- Where the agreement has gained an attribute or its value, all of the source's discrepancies are looked at
-- once more.
insert into share.correction_feed as feed (source, attributes, withheld)
values (%(source)s, %(attributes)s, %(withheld)s)
on conflict (source) do update
set attributes = excluded.attributes,
    withheld = excluded.withheld,
    published_below = case
        when feed.attributes @> excluded.attributes and excluded.withheld @> feed.withheld
        then feed.published_below
        else '0'
    end
where (feed.attributes, feed.withheld) is distinct from (excluded.attributes, excluded.withheld)

-- The same condition as in publish.sql: a person gets a line when an attribute of the agreement changed, or
-- what the person consents to, or when the person enters or leaves the agreement.
create temporary table in_flight on commit drop as
select t.person_key
from (
    select c.person_key, bool_or(c.attributes && %(columns)s) as agreed
    from share.change c left join share.feed f on f.feed = %(feed)s
    where (c.transaction, c.change_id) > (coalesce(f.transaction, '0'), coalesce(f.change_id, 0))
    group by c.person_key
) t
cross join lateral (select {entitled} as names) as entitled
left join truth.person
    on person.person_key = t.person_key and {covered} and cardinality(entitled.names) > 0
cross join lateral (select coalesce((
    select d.line ->> 'kind' <> 'removed' from share.feed_entry d
    where d.feed = %(feed)s and d.person_key = t.person_key
    order by d.sequence desc
    limit 1
), false) as known) as sent
where case
    when person.person_key is null then sent.known
    else t.agreed or not sent.known and num_nonnulls({columns}) > 0
end

-- One who signs off at a time: what stood before is what the one before left.
lock table truth.run in share row exclusive mode;

with run as (
    insert into truth.run default values returning run_id
),
booked as (
    delete from truth.control_entry returning subject, source, kind, added, removed, turned, unexplained
),
change as (
    select
        subject, source, kind, sum(added) as added, sum(removed) as removed, sum(turned) as turned,
        sum(unexplained) as unexplained
    from booked
    group by subject, source, kind
),
line as (
    select
        subject, source, kind, coalesce(l.standing, 0) as before, coalesce(c.added, 0) as added,
        coalesce(c.removed, 0) as removed, coalesce(c.turned, 0) as turned,
        coalesce(c.unexplained, 0) as unexplained
    from (
        select subject, source, kind, standing
        from truth.control
        where run_id = (select max(run_id) from truth.run)
    ) l
    full join change c using (subject, source, kind)
)
insert into truth.control
    (run_id, subject, source, kind, before, added, removed, turned, standing, unexplained)
select
    run_id, subject, source, kind, before, added, removed, turned,
    before + added - removed + turned, unexplained
from run cross join line
where (before, added, removed, turned, unexplained) <> (0, 0, 0, 0, 0)

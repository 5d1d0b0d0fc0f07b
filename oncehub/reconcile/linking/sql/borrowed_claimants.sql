-- People whose records at a lending source (`stated_by`) changed, or are linked to them by this run.
insert into claimant
select k.person_key
from affected a join truth.link k using (source, stream, source_key)
where a.source = any(%(lenders)s)
union
select r.linked_to
from affected a join truth.link_override r using (source, stream, source_key)
where a.source = any(%(lenders)s) and r.linked_to is not null
union
select person_key from verdict where source = any(%(lenders)s) and not somebody_else;

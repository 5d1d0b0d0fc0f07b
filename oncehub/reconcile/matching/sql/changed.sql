-- People about whom the register, or a record that an identifier links to them, may state something else now.
insert into changed_person
select person_key from founder
union
select k.person_key
from affected a join truth.link k using (source, stream, source_key)
where k.method <> 'model'
union
select person_key from verdict where not somebody_else;
analyze changed_person;
insert into candidate_person select row_number() over (), person_key from changed_person;
analyze candidate_person;

-- The blocks that were oversized until now.
insert into unmatched_key select null, key, rule from truth.oversized_block;

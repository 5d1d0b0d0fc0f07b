-- People whom the register, or another record that an identifier leads to them, may now tell of differently.
insert into changed
select person_key from founder
union
select k.person_key
from affected a join truth.link k using (source, stream, source_key)
where k.method <> 'model'
union
select person_key from verdict where not somebody_else;
analyze changed;
insert into wanted select row_number() over (), person_key from changed;
analyze wanted;

-- Which keys were a crowd's until now.
insert into judged_key select null, key, rule from truth.match_crowd;

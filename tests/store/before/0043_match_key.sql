-- A record that a model has judged stands once, with its keys beside it, and each key is two numbers: so one record's keys
-- are found through the record, without an index over three texts a key.
alter table truth.match_key rename to match_key_before;

create table truth.match_record (
    source     text not null,
    stream     text not null,
    source_key text not null,
    entry      bigint generated always as identity,
    keys       bigint[] not null,
    primary key (source, stream, source_key)
);
comment on table truth.match_record is
    'the records that the active model has judged, and digests of the blocking keys by which people who change draw them in';
create unique index match_record_entry on truth.match_record (entry);

insert into truth.match_record (source, stream, source_key, keys)
select source, stream, source_key, array_agg(key order by key)
from truth.match_key_before
group by source, stream, source_key
order by source, stream, source_key;

drop table truth.match_key_before;

create table truth.match_key (
    key   bigint not null,
    entry bigint not null
);
comment on table truth.match_key is 'truth.match_record by each of its keys';
insert into truth.match_key select unnest(keys), entry from truth.match_record;
create index match_key_key on truth.match_key (key, entry);

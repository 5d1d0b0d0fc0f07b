-- What reconciling needs beside the truth itself: comparisons that know forms, and who is not linked.
create extension if not exists fuzzystrmatch schema public;

create function text.identifying(scheme text, stated text) returns text
    language sql immutable parallel safe
    return case scheme
        when 'tax_code' then substring(stated from '^([0-9]{10})(-[0-9]{3})?$')
        else stated
    end;
comment on function text.identifying is
    'the part of a stated identifier that tells people apart: of a tax code the ten digits, without the number of the branch';

create index person_tax_code_root on record.person (text.identifying('tax_code', tax_code))
    where tax_code is not null;

create function truth.same_partial_date(one text, other text) returns boolean
    language sql immutable parallel safe
    return left(one, least(length(one), length(other))) = left(other, least(length(one), length(other)));
comment on function truth.same_partial_date is
    'ISO 8601 dates of reduced precision agree as far as the less precise one goes';

create table truth.unlinked (
    source     text not null,
    stream     text not null,
    source_key text not null,
    since      timestamptz not null default now(),
    primary key (source, stream, source_key)
);
comment on table truth.unlinked is 'live records of persons that no identifier leads to anyone';

-- What leads from a record without usable identifier to a person: models as data, and what each was judged by.
create function text.fold_parts(given text) returns text
    language sql immutable strict parallel safe
    return (
        select string_agg(part, ' ' order by part collate "C")
        from unnest(string_to_array(text.fold(given), ' ')) part
    );
comment on function text.fold_parts is 'the folded words of a name in the order of the alphabet: equal whatever the order they are stated in';

create table truth.match_model (
    model_id   bigint generated always as identity primary key,
    trained_at timestamptz not null default now(),
    trained_by text not null,
    reason     text not null,
    rules      jsonb not null,
    settings   jsonb not null,
    people     bigint not null check (people > 0),
    labels     bigint not null,
    active     boolean not null default false
);
comment on table truth.match_model is 'insert only but for `active`: what scored a record can always be looked up';
comment on column truth.match_model.rules is 'what it was trained for: comparisons and blocking as in mappings/rules/matching.yaml';
comment on column truth.match_model.settings is 'the Splink settings with the trained parameters';
comment on column truth.match_model.people is 'live records of the register when it was trained';
comment on column truth.match_model.labels is 'records linked by an identifier that it learned from';
create unique index match_model_active on truth.match_model (active) where active;

create function truth.match_model_stays() returns trigger
    language plpgsql as $$
begin
    if to_jsonb(new) - 'active' <> to_jsonb(old) - 'active' then
        raise exception 'a matching model is never changed: train another';
    end if;
    return new;
end
$$;
create trigger match_model_stays before update on truth.match_model
    for each row execute function truth.match_model_stays();
create rule match_model_never_goes as on delete to truth.match_model do instead nothing;

create table truth.match_frequency (
    model_id  bigint not null references truth.match_model,
    term      text not null,
    value     text not null,
    frequency double precision not null,
    primary key (model_id, term, value)
);
comment on table truth.match_frequency is
    'share of the register''s people that bore a folded name when the model was trained, of names that several bore';

alter table truth.link add column probability real;
comment on column truth.link.probability is 'of links by a model: how probable it holds them; null where an identifier or a clerk links';

create table truth.match_crowd (
    key  bigint primary key,
    rule text not null
);
comment on table truth.match_crowd is
    'digests of judged records'' blocking keys that too many people share: they find nobody until fewer do';

-- Which records a person's coming, going or changing draws in: all that an identifier leads to nobody.
create table truth.match_key (
    key        bigint not null,
    source     text not null,
    stream     text not null,
    source_key text not null
);
comment on table truth.match_key is 'digests of the blocking keys of records that the active model has judged';
create index match_key_key on truth.match_key (key);
create index match_key_record on truth.match_key (source, stream, source_key);

create table truth.match_candidate (
    source     text not null,
    stream     text not null,
    source_key text not null,
    person_key uuid not null,
    primary key (source, stream, source_key, person_key)
);
comment on table truth.match_candidate is 'the people named in open cases of kind possible_match';
create index match_candidate_person on truth.match_candidate (person_key);

-- A former commune's people are sought among those of the present one, too.
create index unit_successor_present on truth.unit_successor (present_unit);

-- What judging by a model holds of its own; gone at commit.
create temporary table judged (id bigint, source text, stream text, source_key text) on commit drop;
create temporary table judged_key (id bigint, key bigint, rule text, own boolean) on commit drop;
create temporary table key_person (key bigint, rule text, person_key uuid) on commit drop;
create temporary table crowded (key bigint, rule text) on commit drop;
create temporary table kept_beside (id bigint, key bigint) on commit drop;
create temporary table changed (person_key uuid) on commit drop;
create temporary table changed_key (key bigint) on commit drop;

-- Whom a frame is about, and the records that tell of each person.
create temporary table wanted (id bigint, person_key uuid) on commit drop;
create temporary table teller (id bigint, source text, stream text, source_key text) on commit drop;

-- What a model makes of the judged records: a link, or a case.
create temporary table matched (id bigint, person_key uuid, probability real) on commit drop;
create temporary table possible (id bigint, person_key uuid, evidence jsonb) on commit drop;
create temporary table possible_candidate (id bigint, person_key uuid) on commit drop;
create temporary table scored (id bigint, person_key uuid) on commit drop;

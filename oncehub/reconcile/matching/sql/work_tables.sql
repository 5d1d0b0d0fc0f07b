-- The temporary tables of matching.
create temporary table unmatched (id bigint, source text, stream text, source_key text) on commit drop;
create temporary table unmatched_key (id bigint, key bigint, rule text, own boolean) on commit drop;
create temporary table key_person (key bigint, rule text, person_key uuid) on commit drop;
create temporary table oversized (key bigint, rule text) on commit drop;
create temporary table kept_reformed_key (id bigint, key bigint) on commit drop;
create temporary table changed_person (person_key uuid) on commit drop;
create temporary table changed_key (key bigint) on commit drop;

-- The people to compare with, and the records that are evidence about each.
create temporary table candidate_person (id bigint, person_key uuid) on commit drop;
create temporary table evidence_record (id bigint, source text, stream text, source_key text) on commit drop;

-- Results of the model: links and cases.
create temporary table matched (id bigint, person_key uuid, probability real) on commit drop;
create temporary table possible (id bigint, person_key uuid, evidence jsonb) on commit drop;
create temporary table possible_candidate (id bigint, person_key uuid) on commit drop;
create temporary table scored (id bigint, person_key uuid) on commit drop;

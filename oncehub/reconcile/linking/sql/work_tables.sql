-- The temporary tables of linking. They are read whole or joined by hash, so that none needs a key: the
-- statements that fill them leave out rows that are there already.

-- The records of sources other than the register that this run links anew, and those of them drawn in last.
-- `entry` numbers them, so that they are joined by one number instead of three texts.
create temporary table affected (source text, stream text, source_key text, entry integer) on commit drop;
create temporary table drawn (
    source text, stream text, source_key text, entry integer generated always as identity
) on commit drop;

-- Identifiers whose bearer may have changed.
create temporary table touched_value (scheme text, value text) on commit drop;

-- The people whose identifiers are determined anew, and the identifiers that they bear then.
create temporary table claimant (person_key uuid) on commit drop;
create temporary table claim (
    scheme text, value text, person_key uuid, valid_from date, valid_until date, current boolean
) on commit drop;

-- The identifiers that they bore before (`_before`), and those that they bear now; null where there is only
-- one.
create temporary table borne (
    scheme text, value text, person_key uuid,
    current_before boolean, valid_from_before date, valid_until_before date,
    current boolean, valid_from date, valid_until date
) on commit drop;

-- The active overrides of the affected records.
create temporary table ruled (
    source text, stream text, source_key text, person_key uuid, verdict text
) on commit drop;

-- The person that each affected record describes. somebody_else: the number is that person's, but the record
-- describes somebody else; ruled: an override has decided so.
create temporary table verdict (
    source text, stream text, source_key text, person_key uuid, method text, attribute text, value text,
    birth_date_stated boolean, somebody_else boolean, stated_at timestamptz, probability real,
    ruled boolean not null default false, entry integer
) on commit drop;

-- Discrepancies that linking finds.
create temporary table found (
    person_key uuid, attribute text, source text, stream text, source_key text, kind text,
    source_value jsonb, golden_value jsonb, stated_at timestamptz, as_of timestamptz
) on commit drop;

-- Questions to clerks, which become cases.
create temporary table asked (
    kind text, person_key uuid, source text, stream text, source_key text, evidence jsonb
) on commit drop;

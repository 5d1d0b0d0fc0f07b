-- What linking holds of its own; gone at commit. The tables are read whole or joined by hash, so none needs a
-- key: those who fill them leave out what is there already. Records of other sources that this run decides
-- anew, and those of them drawn in last; `entry` numbers them, for joining by one number instead of three
-- texts.
create temporary table affected (source text, stream text, source_key text, entry integer) on commit drop;
create temporary table drawn (
    source text, stream text, source_key text, entry integer generated always as identity
) on commit drop;

-- Identifiers whose bearer may have changed.
create temporary table touched_value (scheme text, value text) on commit drop;

-- The people whose identifiers are set anew, and what they then bear.
create temporary table claimant (person_key uuid) on commit drop;
create temporary table claim (
    scheme text, value text, person_key uuid, valid_from date, valid_until date, current boolean
) on commit drop;

-- What they bore under the schemes at hand, and what they claim; null where it is only one of both.
create temporary table borne (
    scheme text, value text, person_key uuid,
    current_before boolean, valid_from_before date, valid_until_before date,
    current boolean, valid_from date, valid_until date
) on commit drop;

-- What clerks have said of the affected records.
create temporary table ruled (
    source text, stream text, source_key text, person_key uuid, verdict text
) on commit drop;

-- Whom each affected record speaks of; somebody_else: the number is theirs, the person is not; ruled: as a
-- clerk has said already.
create temporary table verdict (
    source text, stream text, source_key text, person_key uuid, method text, attribute text, value text,
    birth_date_stated boolean, somebody_else boolean, stated_at timestamptz, probability real,
    ruled boolean not null default false, entry integer
) on commit drop;

-- Disagreements that linking itself finds.
create temporary table found (
    person_key uuid, attribute text, source text, stream text, source_key text, kind text,
    stated jsonb, believed jsonb, stated_at timestamptz, as_of timestamptz
) on commit drop;

-- What clerks are to be asked.
create temporary table asked (
    kind text, person_key uuid, source text, stream text, source_key text, evidence jsonb
) on commit drop;

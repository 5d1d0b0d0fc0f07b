create temporary table if not exists stated
    (source_key text, stated_at timestamptz, fingerprint bigint) on commit delete rows;
create temporary table if not exists restated
    (source_key text, stated_at timestamptz, fingerprint bigint) on commit delete rows;
create temporary table if not exists tombstone (source_key text, stated_at timestamptz) on commit delete rows;
create temporary table if not exists deleted (source_key text) on commit delete rows;
create temporary table if not exists touched (entity text, source_key text) on commit delete rows;

insert into intake.record_state (source, stream, source_key, stated_at, fingerprint)
select %(source)s, %(stream)s, source_key, stated_at, fingerprint from pg_temp.restated
on conflict (source, stream, source_key)
do update set stated_at = excluded.stated_at, fingerprint = excluded.fingerprint, deletion = null

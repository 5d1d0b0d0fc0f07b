create or replace function truth.mark_dirty(source text, stream text, source_key text) returns void
    language sql security definer set search_path = ''
begin atomic
    insert into intake.dirty (source, stream, source_key)
    select r.source, r.stream, r.source_key
    from record.person r
    where (r.source, r.stream, r.source_key) = (mark_dirty.source, mark_dirty.stream, mark_dirty.source_key);
end;
comment on function truth.mark_dirty is 'marks a record, if there is one, for the next run';
revoke execute on function truth.mark_dirty from public;

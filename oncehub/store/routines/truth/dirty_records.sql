create or replace function truth.mark(source text, stream text, source_key text) returns void
    language sql security definer set search_path = ''
begin atomic
    insert into intake.dirty (source, stream, source_key)
    select r.source, r.stream, r.source_key
    from record.person r
    where (r.source, r.stream, r.source_key) = (mark.source, mark.stream, mark.source_key);
end;
comment on function truth.mark is 'have the next run decide a record anew, if it is there';
revoke execute on function truth.mark from public;

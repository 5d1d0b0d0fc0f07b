create or replace function truth.person_key(source text, stream text, source_key text) returns uuid
    language sql immutable strict parallel safe
    return md5(source || E'\x1f' || stream || E'\x1f' || source_key)::uuid;
comment on function truth.person_key is
    'the same register record founds the same person in whatever order records arrive';

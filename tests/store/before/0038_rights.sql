-- The second wall: people are read through the functions of an agreement's own schema, by its own role, and no other
-- way. The schemas and roles follow the files under mappings/agreements (oncehub/share/access/database_access.py).

-- The API logs in as this role: whoever gets it to run SQL of their own is not the owner of the tables.
do $$
begin
    if exists (
        select from pg_roles where rolname = 'oncehub_api' and not (rolcanlogin and not rolinherit)
    ) then
        alter role oncehub_api login noinherit;
    end if;
end
$$;
grant select on public.oncehub_migration to oncehub_api;
grant select (change_id, fingerprint, signs_since), insert (fingerprint) on share.token_key to oncehub_api;

revoke select on truth.person, truth.identifier from oncehub_api;
revoke select (person_key, attribute, kind, closed_at) on truth.discrepancy from oncehub_api;
revoke usage on schema text from oncehub_api;

create function truth.origins(provenance jsonb, attributes text[], sealed text[]) returns jsonb
    language sql immutable strict parallel safe
    return (
        select coalesce(jsonb_object_agg(key, case
            when jsonb_typeof(value) <> 'object' or key = any(sealed) or key = '*' and cardinality(sealed) > 0 then value
            else value - '{stream,source_key}'::text[]
        end), '{}')
        from jsonb_each(provenance)
        where key = '*' or key = any(attributes)
    );
comment on function truth.origins is
    'a provenance cut to some attributes, without the records'' keys, which may be other attributes'' values; what is sealed opens with its record''s key only';

-- What tells of people in feeds, notices and cases is read through an agreement's schema, too.
revoke select on share.delivery, share.notice from oncehub_api;
grant select (source, sequence, notice, attribute) on share.notice to oncehub_api;
revoke select (discrepancy_id, severity) on truth.open_discrepancy from oncehub_api;
revoke execute on function truth.case_content from oncehub_api;

-- The API's role reads no record: this function returns only what an answer about one person contains.
create or replace function share.reusable_papers(
    person uuid, results text[], components text[], component_procedures text[]
) returns table (
    dossier text, procedure_code text, component text, result text, file text, decided_at timestamptz
)
    language sql stable security definer set search_path = '' as $$
    select
        d.code, d.procedure_code, p.component_code, p.replaced_by, p.file_id,
        coalesce(d.decided_at, d.returned_at)
    from truth.identifier i
    join record.dossier d on d.owner_personal_id = i.value
    join record.document p using (source, stream, source_key)
    where i.person_key = person and i.scheme = 'personal_id' and not i.contested
        -- A former number may belong to somebody else now.
        and (i.current or not exists (
            select from truth.identifier o
            where o.scheme = i.scheme and o.value = i.value and o.person_key <> person
        ))
        and d.status in ('decided', 'returned') and d.deleted_at is null
        and p.deleted_at is null and p.reusable and (p.digitised or p.from_repository)
        and (
            p.replaced_by = any(results)
            or exists (
                select from unnest(components, component_procedures) as wanted (component, procedure_code)
                where (wanted.component, wanted.procedure_code) = (p.component_code, d.procedure_code)
            )
        )
$$;
comment on function share.reusable_papers is
    'reusable digital papers of a person''s decided dossiers, by the results that replace them or by components of procedures (Nghị định 107/2021/NĐ-CP, 118/2025/NĐ-CP)';
revoke execute on function share.reusable_papers from public;

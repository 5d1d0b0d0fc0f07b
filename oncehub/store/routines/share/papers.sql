-- The API's role reads no record: this function returns only what an answer about one person contains.
create or replace function share.reusable_papers(asked_person uuid, wanted jsonb) returns table (
    place integer, dossier text, procedure_code text, component text, result text, file text,
    decided_at timestamptz
)
    language sql stable security definer set search_path = '' as $$
    select
        w.place, d.code, d.procedure_code, p.component_code, p.replaced_by, p.file_id, decided.at
    from truth.identifier i
    join record.dossier d on d.owner_personal_id = i.value
    join record.document p using (source, stream, source_key)
    cross join lateral (select coalesce(d.decided_at, d.returned_at) as at) as decided
    join jsonb_to_recordset(wanted) as w (
        place integer, result text, component text, procedures text[], max_age interval
    ) on p.replaced_by = w.result or p.component_code = w.component and d.procedure_code = any(w.procedures)
    where i.person_key = asked_person and i.scheme = 'personal_id' and not i.contested
        -- A former number may belong to somebody else now.
        and (i.current or not exists (
            select from truth.identifier o
            where o.scheme = i.scheme and o.value = i.value and o.person_key <> asked_person
        ))
        and d.status in ('decided', 'returned') and d.deleted_at is null
        and p.deleted_at is null and p.reusable and (p.digitised or p.from_repository)
        and (w.max_age is null or now() - decided.at <= w.max_age)
$$;
comment on function share.reusable_papers is
    'reusable digital papers of a person''s decided dossiers, decided not longer ago than max_age, by the place of what they replace: a result, or a component of procedures (Nghị định 107/2021/NĐ-CP, 118/2025/NĐ-CP)';
revoke execute on function share.reusable_papers from public;

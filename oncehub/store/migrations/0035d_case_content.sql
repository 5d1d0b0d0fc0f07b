-- Of a request that was closed long ago the evidence is purged, and with it what the citizen said.
create or replace function truth.case_content(asked_case bigint)
    returns table (source_key text, stated jsonb, evidence jsonb, named uuid[])
    language sql stable security definer set search_path = ''
begin atomic
    select
        c.source_key,
        case
            when c.kind <> 'correction_request' then (
                select to_jsonb(r) from record.person r
                where (r.source, r.stream, r.source_key) = (c.source, c.stream, c.source_key)
                    and r.deleted_at is null
            )
            when c.evidence ? 'attribute' then jsonb_build_object(
                c.evidence ->> 'attribute', c.evidence -> 'claimed', 'stated_at', c.opened_at
            )
        end,
        c.evidence,
        truth.named_in_case(c.evidence, c.person_key)
    from truth.case_file c
    where c.case_id = asked_case;
end;

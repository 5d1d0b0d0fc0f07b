create view {schema}.correction_feed with (security_barrier) as
select last_sequence from share.correction_feed where source = {source};
comment on view {schema}.correction_feed is 'the last notice published to the agency''s own source';

create view {schema}.notice with (security_barrier) as
select
    notice.sequence, notice.notice, notice.change, notice.attribute, notice.person_key,
    open_discrepancy.severity,
    gone.outside,
    case
        when notice.attribute = any({attributes}) and notice.line ->> 'kind' <> 'wrong_person'
            and not gone.outside
        then notice.line
        else notice.line || '{{"golden_value": null, "asserted_by": null}}'
    end as line
from share.notice left join truth.open_discrepancy using (discrepancy_id)
cross join lateral (
    select exists (  -- noqa: layout.functions, layout.spacing
        select from share.notice later
        where later.source = notice.source and later.discrepancy_id = notice.discrepancy_id
            and later.sequence >= notice.sequence and later.line ->> 'closed_because' = 'outside_agreement'
    ) as outside
) gone
where notice.source = {source} and notice.attribute = any({noticed});
comment on view {schema}.notice is
    'the notices to the agency''s own source, without what the agreement does not cover';
grant select on {schema}.correction_feed, {schema}.notice to {role};

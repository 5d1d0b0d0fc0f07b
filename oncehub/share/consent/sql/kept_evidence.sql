-- Every consent and withdrawal, with its evidence where it has any.
select
    c.consent_id::text, 'given' as act, c.person_key::text, c.agreement, c.purpose, c.attributes,
    c.text_version, c.text_digest, c.given_at as moment, c.channel, c.reference, c.recorded_by, c.vouched_by,
    e.digest, e.key_id, e.content, e.recorded_at
from share.consent c
left join share.consent_evidence e on e.consent_id = c.consent_id and e.act = 'given'
where %(consent_id)s::uuid is null or c.consent_id = %(consent_id)s
union all
select
    c.consent_id::text, 'withdrawn', c.person_key::text, c.agreement, c.purpose, c.attributes,
    c.text_version, c.text_digest, w.withdrawn_at, w.channel, w.reference, w.recorded_by, w.vouched_by,
    e.digest, e.key_id, e.content, e.recorded_at
from share.consent_withdrawal w
join share.consent c on c.consent_id = w.consent_id
left join share.consent_evidence e on e.consent_id = w.consent_id and e.act = 'withdrawn'
where %(consent_id)s::uuid is null or w.consent_id = %(consent_id)s
order by 1, 2

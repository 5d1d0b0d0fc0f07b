-- A purge writes its proof. The login that signs the access log signs it afterwards, as it alone has the key.
drop trigger if exists purge_insert_only on audit.purge;

create table audit.purge_signature (
    number    bigint primary key references audit.purge,
    statement text not null,
    signed_at timestamptz not null default now()
);
comment on table audit.purge_signature is
    'signature over each proof of a purge; insert only, each statement holding the hash of the one before it';
comment on column audit.purge_signature.statement is
    'JWS (RFC 7515): the content of the proof, its number, and the hash of the statement before it';

insert into audit.purge_signature (number, statement, signed_at)
select number, statement, purged_at from audit.purge;

alter table audit.purge add column content jsonb;
update audit.purge
set content = convert_from(
    decode(
        rpad(payload.text, (length(payload.text) + 3) / 4 * 4, '='), 'base64'
    ), 'UTF8'
)::jsonb - 'number' - 'previous'
from (
    select number, translate(split_part(statement, '.', 2), '-_', '+/') as text from audit.purge
) as payload
where payload.number = purge.number;
alter table audit.purge alter column content set not null, drop column statement;
comment on table audit.purge is
    'proof of each batch that was purged; insert only, signed in audit.purge_signature';
comment on column audit.purge.content is
    'kind, rule, horizon, count, keyed digest over the keys of what was removed, when and by which run';

grant select on audit.purge to oncehub_signing;
grant select, insert on audit.purge_signature to oncehub_signing;

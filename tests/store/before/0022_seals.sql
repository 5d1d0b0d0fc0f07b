-- The access log is sealed: batches in the order of commit, each bound to the one before it and signed.
alter table audit.entry add column transaction xid8 not null default pg_current_xact_id();
comment on column audit.entry.transaction is
    'a seal takes what no open transaction can precede; further columns must allow null, which a sealed line leaves out';
create index entry_order on audit.entry (transaction, entry_id);

create table audit.seal (
    number    bigint primary key check (number > 0),
    entries   bigint[] not null check (cardinality(entries) > 0),
    leaves    bytea not null check (length(leaves) = 32 * cardinality(entries)),
    statement text not null,
    horizon   xid8 not null,
    sealed_at timestamptz not null
);
comment on table audit.seal is 'batches of the access log; what counts is the signed statement, the other columns serve to find and to name';
comment on column audit.seal.entries is 'the lines in their order';
comment on column audit.seal.leaves is 'SHA-256 of each line, 32 bytes after 32, of which the statement holds the Merkle root (RFC 6962)';
comment on column audit.seal.statement is 'JWS (RFC 7515) over number, previous, root, lines, horizon and sealed_at';
comment on column audit.seal.horizon is 'every line of a transaction below it is in this seal or an earlier one';

create function audit.refuse_seal_change() returns trigger
    language plpgsql as $$
begin
    raise exception 'seals of the access log are insert only';
end
$$;
create trigger seal_insert_only before update or delete or truncate on audit.seal
    for each statement execute function audit.refuse_seal_change();

create function audit.oldest_unsealed() returns timestamptz
    language sql stable security definer set search_path = ''
    return (
        select at from audit.entry
        where transaction >= coalesce((select horizon from audit.seal order by number desc limit 1), '0')
        order by transaction, entry_id
        limit 1
    );
comment on function audit.oldest_unsealed is 'lets the API stop before the log goes unsealed for too long, without being able to read it';
revoke execute on function audit.oldest_unsealed from public;
grant execute on function audit.oldest_unsealed to oncehub_api;

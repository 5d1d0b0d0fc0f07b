-- The access log is one Merkle tree (RFC 6962) instead of a tree for each batch. Lines that were signed
-- before become entries of it by the next signing, in their order; the signed batches stay beside it.
drop function if exists audit.oldest_unsigned;
do $$
begin
    if exists (select from audit.checkpoint) then
        alter table audit.checkpoint rename to earlier_checkpoint;
        alter index audit.checkpoint_pkey rename to earlier_checkpoint_pkey;
        comment on table audit.earlier_checkpoint is
            'batches that were signed before the log became one tree; the version that signed them verifies them';
        revoke all on audit.earlier_checkpoint from oncehub_signing;
    else
        drop table audit.checkpoint;
    end if;
end
$$;

create table audit.checkpoint (
    number      bigint primary key check (number > 0),
    size        bigint not null unique,
    commitments bytea not null,
    note        text not null,
    horizon     xid8 not null,
    check (length(commitments) > 0 and length(commitments) % 32 = 0 and length(commitments) <= 32 * size)
);
alter table audit.checkpoint alter column commitments set storage external;
comment on table audit.checkpoint is
    'states of the log''s tree; what counts is the signed note, the other columns serve to find and to name';
comment on column audit.checkpoint.size is 'entries of the tree';
comment on column audit.checkpoint.commitments is
    'the entries since the checkpoint before, 32 bytes after 32: SHA-256 over domain, salt and line; lines that are removed leave theirs';
comment on column audit.checkpoint.note is 'C2SP tlog-checkpoint, signed by the log';
comment on column audit.checkpoint.horizon is
    'every line of a transaction below it is in the tree of this size: one more than that of the last line';

create table audit.leaf (
    index    bigint primary key check (index >= 0),
    entry_id bigint not null unique,
    salt     bytea not null check (length(salt) = 32)
);
comment on table audit.leaf is
    'the line that an entry of the tree commits to, and the salt of the commitment; who is to check a line is given its salt';

create table audit.subtree (
    level smallint not null check (level > 0),
    index bigint not null,
    hash  bytea not null check (length(hash) = 32),
    primary key (level, index)
);
comment on table audit.subtree is
    'hashes above the entries, as C2SP tlog-tiles counts them: of entries from index * 256^level up to (index + 1) * 256^level';

create table audit.attestation (
    number  bigint not null references audit.checkpoint,
    kind    text not null check (kind in ('cosignature', 'timestamp')),
    by      text not null,
    content bytea not null,
    primary key (number, kind, by)
);
comment on table audit.attestation is 'what others say of a checkpoint: that they saw it, and when';
comment on column audit.attestation.by is 'a witness''s key, or the URL of a time-stamping authority';
comment on column audit.attestation.content is
    'the line of a cosignature (C2SP tlog-cosignature), or the answer of an authority (RFC 3161)';

grant select, insert on audit.checkpoint, audit.leaf, audit.subtree, audit.attestation to oncehub_signing;

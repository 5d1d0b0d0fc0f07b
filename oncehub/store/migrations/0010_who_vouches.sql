-- Who vouches for the person whom a request names as acting: the officer, or the citizen.
alter table audit.entry
    add column vouched_by text,
    -- Lines that are there have no such word: to read them all would stop the API meanwhile.
    add constraint entry_vouched_by check (vouched_by in ('client', 'provider', 'officer')) not valid;
comment on column audit.entry.vouched_by is
    'who vouches for the person who acts: client: the client alone; provider: an identity provider, whose signed assertion the hub verified; officer: a proven officer, for a citizen at a counter; null where nobody is named, and in older lines';
grant insert (vouched_by) on audit.entry to oncehub_api;

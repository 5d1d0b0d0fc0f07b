-- Keys are noted by `oncehub init`, the one for tokens too.
comment on table hub.key is 'the keys in use, noted by init or when each was used first; no key is in the database';
comment on column hub.key.use is 'data, pseudonym, signing or token; another token key is accepted';

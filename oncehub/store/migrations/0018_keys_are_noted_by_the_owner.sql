-- The API only reads which keys are known: what it could note would stop the hub at a key's first use.
revoke insert (use, id, fingerprint) on hub.key from oncehub_api;
comment on table hub.key is 'the keys in use, noted by init, by a rotation or by signing; no key is in the database';

-- What is encrypted says with which key of the ring; the keys themselves are never here.
alter table intake.rejected add column key_id text;
comment on column intake.rejected.key_id is 'id of the key it is sealed with; null: older than the key ring, sealed with the quarantine key of then';
comment on column intake.rejected.payload is 'the record as received, AES-256-GCM, nonce first, bound to source, stream and digest';
comment on column intake.rejected.digest is 'keyed digest of the payload, under the same key: the same bad record is kept once';

-- A stream may list its changes from a token that the last page of a read names, such as a delta link.
alter table intake.cursor add column token text;
alter table intake.checkpoint add column token text;
alter table intake.run add column token_from text;
alter table intake.cursor drop constraint cursor_by_time_or_sequence;
alter table intake.cursor
    add constraint cursor_by_time_sequence_or_token check (num_nonnulls(position, sequence, token) = 1);
comment on column intake.cursor.token is
    'from which the source lists the changes since the last read, as it gave it: a token, or path and query of an address';
comment on column intake.checkpoint.token is 'of the last page that has landed; null until then';
comment on column intake.run.token_from is 'from which changes are read';

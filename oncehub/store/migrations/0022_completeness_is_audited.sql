create table intake.audit (
    audit_id    bigint generated always as identity primary key,
    source      text not null,
    stream      text not null,
    audited_at  timestamptz not null default now(),
    declared    bigint,
    listed      bigint not null,
    landed      bigint not null,
    rejected    bigint not null,
    missing     bigint not null,
    outdated    bigint not null,
    superfluous bigint not null
);
comment on table intake.audit is
    'comparisons of all keys that a source lists with the records that are live here';
comment on column intake.audit.declared is 'how many records the source itself says that there are';
comment on column intake.audit.listed is 'records that the source listed, each key once, without deleted ones';
comment on column intake.audit.landed is 'live records of the stream here';
comment on column intake.audit.rejected is 'listed records that cannot land, and are in quarantine after a sync';
comment on column intake.audit.missing is 'listed, but not live here';
comment on column intake.audit.outdated is 'live here by an older statement than the listed one';
comment on column intake.audit.superfluous is 'live here, but not listed';

create index audit_of_stream on intake.audit (source, stream, audit_id desc);

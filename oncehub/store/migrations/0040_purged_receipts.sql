-- What is due of forms, of what came back for them and of notices is found without reading whole tables.
create index submission_submitted on share.submission (submitted_at);
create index submitted_at_once on intake.submitted (submitted_at);
create index notice_lines on share.notice (source, notice, sequence);

comment on column share.notice.line is
    'what was stated and believed; purged: that and the record''s key are gone, for the notice has closed or a later line says more';
comment on table share.prefill is
    'a form as it was filled for a person, written with the answer: names of items and no value; purged by retention.yaml';
comment on table share.submission is
    'what came back for a form, once; what was said waits in intake.submitted, and here is only its digest; purged by retention.yaml once that has landed';
comment on table share.request is
    'citizens'' requests under Nghị định 356/2025/NĐ-CP; insert only, kept for good: they prove what was answered by when';

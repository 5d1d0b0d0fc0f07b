-- Officers at agencies see and decide cases through the API; each look and decision names them.
alter table audit.entry
    add column officer text,
    add column case_id bigint,
    add column decision_id bigint;
comment on column audit.entry.officer is 'who at the agency acted, by the claim act of the token; null where a system asked by itself';
comment on column audit.entry.case_id is 'of looks at, and decisions on, a case; one line for each person whose data was seen';
grant insert (officer, case_id, decision_id) on audit.entry to oncehub_api;

grant select on truth.case_state, truth.decision to oncehub_api;
grant insert (case_id, verdict, person_key, reason, decided_by, follows) on truth.decision to oncehub_api;
grant execute on function truth.case_content to oncehub_api;

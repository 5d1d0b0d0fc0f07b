-- Cases and what clerks have decided on them name people, and a decision changes what is believed: both are reached
-- through the schema of an agreement whose cases they are (oncehub/share/wall_cases.sql).
revoke select on truth.case_state, truth.decision from oncehub_api;
revoke insert (case_id, verdict, person_key, reason, decided_by, follows) on truth.decision from oncehub_api;

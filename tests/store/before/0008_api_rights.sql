-- What the API's role never used it may not read, and the log's own numbers and times it may not choose.
revoke select on record.tax_registration, record.dossier, record.document from oncehub_api;
revoke usage on schema record from oncehub_api;
revoke select on truth.link, truth.discrepancy from oncehub_api;
grant select (person_key, attribute, kind, closed_at) on truth.discrepancy to oncehub_api;
revoke insert on audit.entry from oncehub_api;
grant insert (client_id, agency, agreement, purpose, legal_basis, action, procedure, person, attributes,
    refused, outcome, request_id) on audit.entry to oncehub_api;

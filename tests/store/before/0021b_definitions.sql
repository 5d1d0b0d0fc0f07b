-- What a run made records by: whoever changes it is told what the hub still holds of before.
alter table intake.run add column definition text;
comment on column intake.run.definition is
    'digest of the contract, mapping and code lists that it began with; null: it began before that was kept';

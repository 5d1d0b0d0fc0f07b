-- Sensitive values are sealed where they land. What landed before is plain until `oncehub keys rotate` has run once.
create table intake.plain (
    since timestamptz not null default now()
);
comment on table intake.plain is 'has a row while there may be sensitive values that landed before values were sealed';

insert into intake.plain
select now()
where exists (select from record.person where num_nonnulls(religion, blood_type) > 0)
    or exists (select from record.bank_account where account_number is not null);

create index bank_account_number on record.bank_account ((split_part(account_number, ':', 3)))
    where account_number is not null;
comment on column record.bank_account.account_number is
    'sealed: key id, blind index (by which it is found), and AES-256-GCM bound to the record and the attribute';
comment on column record.person.religion is 'sealed: key id and AES-256-GCM, bound to the record and the attribute';
comment on column record.person.blood_type is 'sealed: key id and AES-256-GCM, bound to the record and the attribute';
comment on column truth.person.religion is 'as in the record that provenance names, to which it is bound';
comment on column truth.person.blood_type is 'as in the record that provenance names, to which it is bound';

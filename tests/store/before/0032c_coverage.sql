-- How much of each procedure's form the hub fills, day by day; never of any one person.
create table share.coverage (
    day         date not null,
    agreement   text not null,
    procedure   text not null,
    people      bigint not null check (people >= 0),
    items       integer not null check (items > 0),
    filled      bigint not null,
    confirm     bigint not null,
    papers      bigint not null,
    asked       jsonb not null,
    measured_at timestamptz not null default now(),
    primary key (agreement, procedure, day)
);
comment on table share.coverage is 'items over all people of an agreement for whom the form may be opened; the last measure of each day';
comment on column share.coverage.items is 'items that the form has for one person';
comment on column share.coverage.asked is 'reason -> items';

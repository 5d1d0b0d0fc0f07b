-- Their results get the place of a line in the log.
drop function if exists entitled.usage_of(
    uuid[], text[], timestamptz, timestamptz, text[], timestamptz[], text[], bigint, bigint
);
drop function if exists audit.usage_of(
    uuid[], text[], timestamptz, timestamptz, text[], timestamptz[], text[], bigint, bigint
);

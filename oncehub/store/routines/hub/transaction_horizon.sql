create or replace function hub.transaction_horizon() returns xid8
    language sql stable
    return (
        (
            pg_snapshot_xmin(pg_current_snapshot())::text::bigint
            + pg_sequence_last_value('hub.transaction_offset')
        )::text
    )::xid8;
comment on function hub.transaction_horizon is
    'the least number (hub.transaction_number) of a transaction that may still be open in the present snapshot; write (select hub.transaction_horizon()), which is computed once';

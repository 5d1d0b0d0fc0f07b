-- The inner select hardly ever finds a row; ctid then leads to it without reading the table again.
update {table} as stored set deleted_at = now()
where stored.source = %(source)s and stored.ctid = any (array(
    select former.ctid
    from pg_temp.restated, lateral (
        select stored.ctid, {stored_key}
        from {table} as stored
        where stored.source = %(source)s and stored.stream = %(stream)s
            and stored.source_key = restated.source_key and stored.deleted_at is null
        offset 0
    ) as former
    where ({former_key}) not in (select {new_key} from {stage} as new)
))
returning source_key

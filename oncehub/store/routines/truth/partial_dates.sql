create or replace function truth.same_partial_date(one text, other text) returns boolean
    language sql immutable parallel safe
    return left(one, least(length(one), length(other))) = left(other, least(length(one), length(other)));
comment on function truth.same_partial_date is
    'ISO 8601 dates of reduced precision agree as far as the less precise one goes';

-- Why an item is not filled, and last that it is: of several parts, the least decides.
create type share.item_status as enum (
    'relative_unknown', 'too_many', 'not_allowed', 'relative_not_living', 'needs_consent', 'not_known',
    'conflicting', 'too_old', 'filled'
);
comment on type share.item_status is 'how an item of a form is answered; of several values, the least one decides';

-- Their parameters or results change.
drop function if exists share.open(bigint, uuid, integer, bytea);
drop function if exists entitled.reusable_papers(uuid, text[], text[], text[]);
drop function if exists share.reusable_papers(uuid, text[], text[], text[]);

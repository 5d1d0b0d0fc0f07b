-- The triggers that use these are made again with hub.refuse_change(), see routines/*/insert_only.sql.
drop function if exists share.refuse_change() cascade;
drop function if exists truth.refuse_change() cascade;

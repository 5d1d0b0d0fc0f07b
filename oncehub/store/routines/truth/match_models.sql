create or replace function truth.match_model_stays() returns trigger
    language plpgsql as $$
begin
    if to_jsonb(new) - 'active' <> to_jsonb(old) - 'active' then
        raise exception 'a matching model cannot be changed: train another';
    end if;
    return new;
end
$$;

create or replace trigger match_model_stays before update on truth.match_model
    for each row execute function truth.match_model_stays();

create or replace rule match_model_never_goes as on delete to truth.match_model do instead nothing;

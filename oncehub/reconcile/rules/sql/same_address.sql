-- Whether two addresses agree: each commune code is read in the catalogue in force on the day that the
-- address names (`edition`). A commune of the earlier catalogue equals the later commune that it became; one
-- that was split equals each of them (Nghị quyết 202/2025/QH15). A part that one side leaves out is no
-- difference, nor is a missing `edition`: such a code may stand in either catalogue.
(
    {stated} = {other}
    or case
        when {stated} ->> 'unit' is null or {other} ->> 'unit' is null then true
        when coalesce(
            {stated_reformed} = {other_reformed},
            {stated} ->> 'unit' = {other} ->> 'unit'
        ) then {stated} ->> 'unit' = {other} ->> 'unit'
        when coalesce({stated_reformed} < {other_reformed}, true) and exists (
            select from truth.unit_successor u
            where u.former_unit = {stated} ->> 'unit' and u.present_unit = {other} ->> 'unit'
        ) then true
        when coalesce({stated_reformed} > {other_reformed}, true) then exists (
            select from truth.unit_successor u
            where u.former_unit = {other} ->> 'unit' and u.present_unit = {stated} ->> 'unit'
        )
        else false
    end
    and coalesce(
        {stated} ->> 'detail' = {other} ->> 'detail'
        or text.fold({stated} ->> 'detail') = text.fold({other} ->> 'detail'),
        true
    )
)

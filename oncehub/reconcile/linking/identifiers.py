"""Who each record speaks of: people from the register, the identifiers they bear, and links by those.

Everything works on the changed records and what they touch. An identifier that comes, goes or changes
its bearer draws in every record that states it, so the order of delivery does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg2 import sql

from oncehub.config.rules import IdentifierRule
from oncehub.reconcile.matching.judging import Judge, Matching
from oncehub.reconcile.rules.planner_hints import Scale, analyze_grown, indexed_afterwards, scale_of_records
from oncehub.reconcile.rules.rulebook import Rulebook
from oncehub.reconcile.rules.statements import columns
from oncehub.store.connection import Cursor
from oncehub.store.statements import statement

_CURRENT_CLAIM = sql.SQL("""
insert into claim
select distinct {scheme}, text.identifying({scheme}, {attribute}), f.person_key, null::date, null::date, true
from founder f join record.person r using (source, stream, source_key)
where f.registered and r.source = {register} and text.identifying({scheme}, {attribute}) is not null
""")

# A number that is also among the person's former ones is in force.
_FORMER_CLAIM = sql.SQL("""
insert into claim
select {scheme}, r.personal_id, f.person_key, min(r.valid_from), max(r.valid_until), false
from founder f join record.former_identifier r using (source, stream, source_key)
where f.registered and r.source = {register} and r.deleted_at is null and not exists (
    select from claim c
    where (c.scheme, c.value, c.person_key) = ({scheme}, r.personal_id, f.person_key)
)
group by r.personal_id, f.person_key
""")

# Who founded, or was joined to, or taken apart from, somebody: what they bore may be another's now. Whoever
# stands by themselves, and whose records are not at hand, keeps it.
_JOINED_CLAIMANTS = """
insert into claimant
select g.person_key
from (
    select unnest(array[g.person_key, g.survivor]) as person_key
    from founder f
    join (
        select person_key as either, person_key, survivor from truth.joining
        union all
        select survivor, person_key, survivor from truth.joining
    ) g on g.either = f.person_key
) g
where exists (select from founder f where f.person_key = g.person_key) or not exists (
    select from truth.link k where k.person_key = g.person_key and k.method in ('register', 'joined')
)
"""

_BORROWED_CLAIMANTS = """
insert into claimant
select k.person_key
from affected a join truth.link k using (source, stream, source_key)
where a.source = any(%(lenders)s)
union
select r.linked_to
from affected a join truth.ruling r using (source, stream, source_key)
where a.source = any(%(lenders)s) and r.linked_to is not null
union
select person_key from verdict where source = any(%(lenders)s) and not somebody_else
"""

# Of the claimants' records only those that a number of the register, or a clerk, links may lend them another.
_BORROWED_CLAIM = sql.SQL("""
insert into claim
select distinct
    {scheme}, text.identifying({scheme}, {attribute}), bearer.person_key, null::date, null::date, true
from (
    select source, stream, source_key, person_key
    from verdict
    where source = {lender} and not somebody_else
    union all
    select k.source, k.stream, k.source_key, k.person_key
    from claimant c join truth.link k using (person_key)
    where k.source = {lender} and k.method = any({methods}) and not exists (
        select from affected a
        where (a.source, a.stream, a.source_key) = (k.source, k.stream, k.source_key)
    )
) bearer
join record.person r using (source, stream, source_key)
where r.source = {lender} and r.deleted_at is null
    and {attribute} is not null and text.identifying({scheme}, {attribute}) is not null
""")

_DRAW = sql.SQL("""
insert into drawn
select r.source, r.stream, r.source_key
from touched_value v
join record.person r on {usable} and text.identifying({scheme}, {attribute}) = v.value
where v.scheme = {scheme} and r.source <> {register} and r.deleted_at is null
    and not exists (
        select from affected a
        where (a.source, a.stream, a.source_key) = (r.source, r.stream, r.source_key)
    )
    and not exists (
        select from drawn d
        where (d.source, d.stream, d.source_key) = (r.source, r.stream, r.source_key)
    )
""")

# Each of them states once, so equal numbers are the same records.
_ALL_STATE = """
select (select count(*) from stating)
    = (select count(*) from record.person where source <> %(register)s and deleted_at is null)
"""

_STATING = sql.SQL("""
create temporary table stating on commit drop as
select source, stream, source_key, stated_at, name_key, birth_date, {identifiers}, 0 as entry
from record.person limit 0;
""")

_STATE = sql.SQL("""
analyze drawn;
insert into stating
select source, stream, source_key, r.stated_at, r.name_key, r.birth_date, {identifiers}, entry
from drawn join record.person r using (source, stream, source_key)
where r.deleted_at is null and r.source <> {register};
insert into ruled
select source, stream, source_key, r.person_key, r.verdict
from drawn join truth.standing_ruling r using (source, stream, source_key);
insert into affected select * from drawn;
""")

# A clerk's word comes before every identifier. While the register does not have the person, it links nobody.
_OBEY = """
insert into verdict (source, stream, source_key, person_key, method, somebody_else, stated_at, entry)
select s.source, s.stream, s.source_key, w.person_key, 'ruling', false, s.stated_at, s.entry
from stating s
join ruled w using (source, stream, source_key)
join truth.link k on k.person_key = w.person_key and k.method = 'register'
where w.verdict = 'same' and not exists (
    select from verdict v where v.entry = s.entry
)
"""

_DIFFERS = sql.SQL("""coalesce(
        s.name_key <> {table}.name_key
        and public.levenshtein_less_equal(left(s.name_key, 255), left({table}.name_key, 255), {distance})
            > {distance}
        and truth.same_partial_date(s.birth_date, {table}.birth_date) is not true,
        false
    )""")

# The first identifier that leads to somebody decides; where a clerk has said that it is not them, the next is
# tried. The register's own words say who that is: what is believed follows from them only later in the run.
_JUDGE = sql.SQL("""
insert into verdict
select
    s.source, s.stream, s.source_key, i.person_key, {method}, {name}, i.value,
    s.birth_date is not null,
    b.person_key is not null or {differs} and not exists (
        select from truth.link o
        join record.person g
            on g.source = {register}
            and (g.source, g.stream, g.source_key) = (o.source, o.stream, o.source_key)
        where o.person_key = i.person_key and o.method = 'joined' and not {differs_joined}
    ),
    s.stated_at, null, b.person_key is not null, s.entry
from (
    -- Who is decided already is left out before anything is looked up, which the planner would do first.
    select *
    from stating s
    where {usable}
        and not exists (select from verdict v where v.entry = s.entry and not v.ruled)
        and not exists (
            select from ruled w
            where w.verdict = 'same'
                and (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key)
        )
    offset 0
) s
join truth.identifier i on i.scheme = {scheme} and i.value = text.identifying({scheme}, {attribute})
join truth.link k on k.person_key = i.person_key and k.method = 'register'
join record.person f
    on f.source = {register} and (f.source, f.stream, f.source_key) = (k.source, k.stream, k.source_key)
left join ruled b
    on b.verdict = 'different' and b.person_key = i.person_key
    and (b.source, b.stream, b.source_key) = (s.source, s.stream, s.source_key)
where not i.contested and {in_force}
    and not exists (select from verdict v where v.entry = s.entry and v.person_key = i.person_key);
""")

# A number in force leads to its bearer or, contested, to nobody: never to who bore it before.
_BORNE_NOW = sql.SQL("i.current")
_BORNE_BEFORE = sql.SQL("""(
    not i.current
    and not exists (
        select from truth.identifier o where (o.scheme, o.value) = (i.scheme, i.value) and o.current
    )
)""")
_IN_FORCE = {
    True: _BORNE_NOW,
    False: _BORNE_BEFORE,
    None: sql.SQL("({} or {})").format(_BORNE_NOW, _BORNE_BEFORE),
}


# Whom a contested identifier leads to, but for those of whom a clerk has said that it is not them. What the
# model has a case of its own for is asked about there.
_CONTESTED = sql.SQL("""
insert into asked (kind, person_key, source, stream, source_key, evidence)
select
    'contested_identifier', null, s.source, s.stream, s.source_key,
    jsonb_build_object(
        'method', {method},
        'candidates', jsonb_agg(jsonb_build_object('person_key', i.person_key) order by i.person_key)
    )
from stating s
join truth.identifier i on i.scheme = {scheme} and i.value = text.identifying({scheme}, {attribute})
where {usable} and i.contested and {in_force}
    and not exists (select from verdict v where v.entry = s.entry and not v.ruled)
    and not exists (
        select from ruled w
        where (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key)
            and (w.verdict = 'same' or w.person_key = i.person_key)
    )
    and not exists (
        select from asked q
        where (q.source, q.stream, q.source_key) = (s.source, s.stream, s.source_key)
    )
group by s.source, s.stream, s.source_key
""")


def link_records(cursor: Cursor, rules: Rulebook) -> tuple[int, Matching]:
    """Bring `truth.link`, `truth.identifier` and `truth.unlinked` in line with the changed records.

    Afterwards `affected` and `verdict` tell what was decided, and `truth.pending` has everybody about whom
    anything may have changed. Returns how many records had changed, and what a model decided.
    """
    register = {"register": rules.register}
    first = _is_first(cursor)
    # Clerks who rule now wait until these links are written, and then see them.
    cursor.execute("lock table truth.ruling, truth.joining in share mode")
    cursor.execute(statement(__name__, "dirty"))
    cursor.execute(statement(__name__, "work_tables"))
    scale = scale_of_records(cursor)
    with indexed_afterwards(cursor, "link_person", when=first):
        cursor.execute(statement(__name__, "founders"), register)
    scale.filled(cursor, "link")
    cursor.execute(statement(__name__, "affected"), register)
    cursor.execute(_STATING.format(identifiers=columns(rules.identifying_attributes)))
    _state(cursor, rules)
    with indexed_afterwards(cursor, "identifier_person", when=first):
        _settle_register_identifiers(cursor, rules, scale)
    _judge(cursor, rules, rules.register_identifiers)
    if rules.borrowed_identifiers:
        if _settle_borrowed_identifiers(cursor, rules, scale):
            # What was drawn in just now may state a number of the register too: that still comes first.
            _judge(cursor, rules, rules.register_identifiers)
        _judge(cursor, rules, rules.borrowed_identifiers)
    matching = _match(cursor, rules, scale)
    for rule in rules.matching.identifiers:
        cursor.execute(_CONTESTED.format(**_looking_up(rule)))
    cursor.execute(statement(__name__, "cancelled_numbers"), register)
    with indexed_afterwards(cursor, "link_person", when=first):
        cursor.execute(statement(__name__, "links"))
    scale.filled(cursor, "link")
    return scale.changed, matching


def _is_first(cursor: Cursor) -> bool:
    """Tell whether nothing is linked yet; nobody reads the tables then until everything is.

    Keys of people are digests: in a table that grows from nothing, each would go to another page of its
    index.
    """
    cursor.execute("select min(source) is null from truth.link")
    first = cursor.fetchone() == (True,)
    if first:
        # Before any other lock: whoever has read them may wait for what is locked next.
        cursor.execute("lock table truth.link, truth.identifier in access exclusive mode")
    return first


def single_out(cursor: Cursor, rules: Rulebook, source: str, stream: str, source_key: str) -> bool:
    """Note in `stating` what one record states, as a run would; tell whether it states anything.

    For looking at how it would be judged: the work tables go with the transaction; nothing else is written.
    """
    cursor.execute(statement(__name__, "work_tables"))
    cursor.execute(_STATING.format(identifiers=columns(rules.identifying_attributes)))
    cursor.execute("insert into drawn values (%s, %s, %s)", (source, stream, source_key))
    _state(cursor, rules)
    cursor.execute("select count(*) from stating")
    return cursor.fetchone() == (1,)


def _match(cursor: Cursor, rules: Rulebook, scale: Scale) -> Matching:
    """Let the active model, if there is one, decide what no identifier and no clerk has decided."""
    judge = Judge.appointed(cursor, rules)
    if judge is None:
        return Matching()
    judge.draw(cursor, scale)
    _state(cursor, rules)
    return judge.judge(cursor, scale)


def _settle_register_identifiers(cursor: Cursor, rules: Rulebook, scale: Scale) -> None:
    cursor.execute("insert into claimant select person_key from founder")
    cursor.execute(_JOINED_CLAIMANTS)
    # Numbers in force first: a number that is also among the person's former ones is in force.
    bearing = (rule for rule in rules.register_identifiers if rule.digits is None)
    for rule in sorted(bearing, key=lambda rule: rule.current is False):
        claim = _FORMER_CLAIM if rule.current is False else _CURRENT_CLAIM
        cursor.execute(claim.format(**_naming(rule), register=sql.Literal(rules.register)))
    _settle(cursor, rules, rules.register_identifiers, scale)


def _settle_borrowed_identifiers(cursor: Cursor, rules: Rulebook, scale: Scale) -> bool:
    lenders = [rule.stated_by for rule in rules.borrowed_identifiers]
    methods = sql.Literal(["ruling", *(rule.method for rule in rules.register_identifiers)])
    cursor.execute("truncate touched_value, claimant, claim")
    cursor.execute(_BORROWED_CLAIMANTS, {"lenders": lenders})
    cursor.execute(_JOINED_CLAIMANTS)
    cursor.execute("analyze claimant")
    for rule in rules.borrowed_identifiers:
        lender = sql.Literal(rule.stated_by)
        cursor.execute(_BORROWED_CLAIM.format(**_naming(rule), lender=lender, methods=methods))
    return _settle(cursor, rules, rules.borrowed_identifiers, scale)


def _settle(cursor: Cursor, rules: Rulebook, identifiers: Sequence[IdentifierRule], scale: Scale) -> bool:
    """Store the claims, and draw in every record that states an identifier they touch; True if any is."""
    cursor.execute(statement(__name__, "claims"), {"schemes": [rule.scheme for rule in identifiers]})
    scale.filled(cursor, "identifier")
    cursor.execute(statement(__name__, "contested"))
    if scale.large and _all_state(cursor, rules):
        return False
    drawn = 0
    lookups = {(rule.scheme, rule.attribute): rule for rule in identifiers}
    for rule in lookups.values():
        cursor.execute(
            _DRAW.format(**_naming(rule), usable=_usable(rule, "r"), register=sql.Literal(rules.register))
        )
        drawn += cursor.rowcount
    _state(cursor, rules)
    return drawn > 0


def _all_state(cursor: Cursor, rules: Rulebook) -> bool:
    """Whether every record that others than the register hold is decided anew already."""
    cursor.execute(_ALL_STATE, {"register": rules.register})
    return cursor.fetchone() == (True,)


def _state(cursor: Cursor, rules: Rulebook) -> None:
    """Note what the records drawn in last state."""
    identifiers, register = columns(rules.identifying_attributes, of="r"), sql.Literal(rules.register)
    cursor.execute(_STATE.format(identifiers=identifiers, register=register))
    analyze_grown(cursor, cursor.rowcount, "affected", "stating", "ruled")
    cursor.execute("truncate drawn")


def _judge(cursor: Cursor, rules: Rulebook, identifiers: Iterable[IdentifierRule]) -> None:
    """Decide the affected records that have no verdict yet by rulings, then by these identifiers in order."""
    cursor.execute(_OBEY)
    for rule in identifiers:
        cursor.execute(
            _JUDGE.format(
                **_looking_up(rule),
                name=sql.Literal(rule.attribute),
                differs=_differs(rules, "f"),
                differs_joined=_differs(rules, "g"),
                register=sql.Literal(rules.register),
            )
        )
        analyze_grown(cursor, cursor.rowcount, "verdict")


def _looking_up(rule: IdentifierRule) -> dict[str, sql.Composable]:
    return {
        "method": sql.Literal(rule.method),
        "scheme": sql.Literal(rule.scheme),
        "attribute": sql.Identifier("s", rule.attribute),
        "usable": _usable(rule, "s"),
        "in_force": _IN_FORCE[rule.current],
    }


def _differs(rules: Rulebook, table: str) -> sql.Composed:
    distance = sql.Literal(rules.matching.somebody_else.name_distance)
    return _DIFFERS.format(table=sql.Identifier(table), distance=distance)


def _naming(rule: IdentifierRule) -> dict[str, sql.Composable]:
    return {"scheme": sql.Literal(rule.scheme), "attribute": sql.Identifier("r", rule.attribute)}


def _usable(rule: IdentifierRule, table: str) -> sql.Composed:
    """Whether a record states a value that the rule looks up; in a form that a partial index can answer."""
    attribute = sql.Identifier(table, rule.attribute)
    if rule.digits is None:
        return sql.SQL("{} is not null").format(attribute)
    return sql.SQL("length({}) = {}").format(attribute, sql.Literal(rule.digits))

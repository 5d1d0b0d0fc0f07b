"""Links records to people: by overrides, by identifiers that people of the register bear, and by the model.

A run links the changed records and the records that these affect: an identifier that comes, goes or changes
its bearer draws in every record that states it, so that the order of delivery does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg2 import sql

from oncehub.config.rules import IdentifierRule
from oncehub.reconcile.matching.matcher import Matcher, MatchReport
from oncehub.reconcile.rules.columns import columns
from oncehub.reconcile.rules.planner_hints import (
    PlannerHints,
    analyze_grown,
    hints_for_records,
    indexed_afterwards,
)
from oncehub.reconcile.rules.rulebook import Rulebook
from oncehub.store.connection import Cursor
from oncehub.store.statements import statement

_CURRENT_CLAIM = sql.SQL("""
insert into claim
select distinct {scheme}, text.identifying({scheme}, {attribute}), f.person_key, null::date, null::date, true
from founder f join record.person r using (source, stream, source_key)
where f.registered and r.source = {register} and text.identifying({scheme}, {attribute}) is not null
""")

# A number in force that is also listed as a former number of the same person is in force.
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

# Each record is in `stating` once, so that equal counts mean the same records.
_ALL_READ = """
select (select count(*) from stating)
    = (select count(*) from record.person where source <> %(register)s and deleted_at is null)
"""

_STATING = sql.SQL("""
create temporary table stating on commit drop as
select source, stream, source_key, stated_at, full_name, birth_date, sex, {identifiers}, 0 as entry
from record.person limit 0;
""")

_READ_STATEMENTS = sql.SQL("""
analyze drawn;
insert into stating
select source, stream, source_key, r.stated_at, r.full_name, r.birth_date, r.sex, {identifiers},
    entry
from drawn join record.person r using (source, stream, source_key)
where r.deleted_at is null and r.source <> {register};
insert into ruled
select source, stream, source_key, r.person_key, r.verdict
from drawn join truth.active_link_override r using (source, stream, source_key);
insert into affected select * from drawn;
""")

# Most records agree with the register in everything they state, and need no function.
_DIFFERS = sql.SQL("""not case
        when (
            s.full_name = {table}.full_name or text.fold_name(s.full_name) = text.fold_name({table}.full_name)
        )
            and truth.same_partial_date(s.birth_date, {table}.birth_date)
            and (s.sex <> {table}.sex) is not true then true
        else exists (
            select from unnest(
                {table}.full_name || array_remove({table}.other_name || {table}.former_names, null)
            ) known_name
            where truth.agreement(
                s.full_name, s.birth_date, s.sex, s.stated_at, known_name, {table}.birth_date, {table}.sex
            ) = any({sufficient})
        )
    end""")

# A number in force leads to its bearer or, when it is contested, to nobody; never to a former bearer.
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


def link_records(cursor: Cursor, rules: Rulebook, run: int) -> tuple[int, MatchReport]:
    """Bring `truth.link`, `truth.identifier` and `truth.unlinked` up to date with the changed records.

    Afterwards `affected` and `verdict` hold the decisions, and `truth.pending` every person about whom
    anything may have changed. Returns how many records had changed, and what the model decided.
    """
    register = {"register": rules.register}
    first = _is_first(cursor)
    # Clerks who decide now wait until these links are written, and then see them.
    cursor.execute("lock table truth.link_override, truth.merge_decision in share mode")
    cursor.execute(statement(__name__, "dirty"), {"run": run})
    cursor.execute(statement(__name__, "work_tables"))
    hints = hints_for_records(cursor)
    with indexed_afterwards(cursor, "link_person", when=first):
        cursor.execute(statement(__name__, "founders"), register)
    hints.filled(cursor, "link")
    cursor.execute(statement(__name__, "affected"), register)
    cursor.execute(_STATING.format(identifiers=columns(rules.identifying_attributes)))
    _read_statements(cursor, rules)
    with indexed_afterwards(cursor, "identifier_person", when=first):
        _store_register_identifiers(cursor, rules, hints)
    _decide(cursor, rules, rules.register_identifiers)
    if rules.borrowed_identifiers:
        if _store_borrowed_identifiers(cursor, rules, hints):
            # The records just drawn in may state a number of the register too, which comes first.
            _decide(cursor, rules, rules.register_identifiers)
        _decide(cursor, rules, rules.borrowed_identifiers)
    matching = _match(cursor, rules, hints)
    for rule in rules.matching.identifiers:
        cursor.execute(statement(__name__, "contested_cases").format(**_looking_up(rule)))
    cursor.execute(statement(__name__, "cancelled_numbers"), register)
    with indexed_afterwards(cursor, "link_person", when=first):
        cursor.execute(statement(__name__, "links"))
    hints.filled(cursor, "link")
    return hints.changed, matching


def _is_first(cursor: Cursor) -> bool:
    """Tell whether nothing is linked yet; if so, lock the tables for this run alone.

    The run then drops indexes and builds them at the end: keys of people are digests, so that each would be
    written to another page of the index.
    """
    cursor.execute("select min(source) is null from truth.link")
    first = cursor.fetchone() == (True,)
    if first:
        # Before any other lock: a transaction that has read these tables may wait for the next one.
        cursor.execute("lock table truth.link, truth.identifier in access exclusive mode")
    return first


def single_out(cursor: Cursor, rules: Rulebook, source: str, stream: str, source_key: str) -> None:
    """Fill `stating` with what one record states, as a run would, in temporary tables only."""
    cursor.execute(statement(__name__, "work_tables"))
    cursor.execute(_STATING.format(identifiers=columns(rules.identifying_attributes)))
    cursor.execute("insert into drawn values (%s, %s, %s)", (source, stream, source_key))
    _read_statements(cursor, rules)


def _match(cursor: Cursor, rules: Rulebook, hints: PlannerHints) -> MatchReport:
    """Let the active model, if any, decide about the records that no identifier or clerk has decided."""
    matcher = Matcher.active(cursor, rules)
    if matcher is None:
        return MatchReport()
    matcher.draw(cursor, hints)
    _read_statements(cursor, rules)
    return matcher.match(cursor, hints)


def _store_register_identifiers(cursor: Cursor, rules: Rulebook, hints: PlannerHints) -> None:
    cursor.execute("insert into claimant select person_key from founder")
    cursor.execute(statement(__name__, "merged_claimants"))
    bearing = (rule for rule in rules.register_identifiers if rule.digits is None)
    for rule in sorted(bearing, key=lambda rule: rule.current is False):
        claim = _FORMER_CLAIM if rule.current is False else _CURRENT_CLAIM
        cursor.execute(claim.format(**_naming(rule), register=sql.Literal(rules.register)))
    _store_claims(cursor, rules, rules.register_identifiers, hints)


def _store_borrowed_identifiers(cursor: Cursor, rules: Rulebook, hints: PlannerHints) -> bool:
    lenders = [rule.stated_by for rule in rules.borrowed_identifiers]
    methods = sql.Literal(["override", *(rule.method for rule in rules.register_identifiers)])
    cursor.execute("truncate touched_value, claimant, claim")
    cursor.execute(statement(__name__, "borrowed_claimants"), {"lenders": lenders})
    cursor.execute(statement(__name__, "merged_claimants"))
    cursor.execute("analyze claimant")
    for rule in rules.borrowed_identifiers:
        lender = sql.Literal(rule.stated_by)
        claim = statement(__name__, "borrowed_claim")
        cursor.execute(claim.format(**_naming(rule), lender=lender, methods=methods))
    return _store_claims(cursor, rules, rules.borrowed_identifiers, hints)


def _store_claims(
    cursor: Cursor, rules: Rulebook, identifiers: Sequence[IdentifierRule], hints: PlannerHints
) -> bool:
    """Store the claims, and draw in the records that state an affected identifier; True if there are any."""
    cursor.execute(statement(__name__, "claims"), {"schemes": [rule.scheme for rule in identifiers]})
    hints.filled(cursor, "identifier")
    cursor.execute(statement(__name__, "contested"))
    if hints.large and _all_read(cursor, rules):
        return False
    drawn = 0
    lookups = {(rule.scheme, rule.attribute): rule for rule in identifiers}
    for rule in lookups.values():
        draw, register = statement(__name__, "draw"), sql.Literal(rules.register)
        cursor.execute(draw.format(**_naming(rule), usable=_usable(rule, "r"), register=register))
        drawn += cursor.rowcount
    _read_statements(cursor, rules)
    return drawn > 0


def _all_read(cursor: Cursor, rules: Rulebook) -> bool:
    """Whether every record of the other sources is linked anew already."""
    cursor.execute(_ALL_READ, {"register": rules.register})
    return cursor.fetchone() == (True,)


def _read_statements(cursor: Cursor, rules: Rulebook) -> None:
    """Add what the records drawn in last state to `stating`, and their overrides to `ruled`."""
    identifiers, register = columns(rules.identifying_attributes, of="r"), sql.Literal(rules.register)
    cursor.execute(_READ_STATEMENTS.format(identifiers=identifiers, register=register))
    analyze_grown(cursor, cursor.rowcount, "affected", "stating", "ruled")
    cursor.execute("truncate drawn")


def _decide(cursor: Cursor, rules: Rulebook, identifiers: Iterable[IdentifierRule]) -> None:
    """Decide the affected records without a verdict by overrides, then by these identifiers in order."""
    cursor.execute(statement(__name__, "apply_overrides"))
    for rule in identifiers:
        cursor.execute(deciding_statement(rules, rule))
        analyze_grown(cursor, cursor.rowcount, "verdict")


def deciding_statement(rules: Rulebook, rule: IdentifierRule) -> sql.Composed:
    """Return the statement that links the records without a verdict by one identifier."""
    return statement(__name__, "decide").format(
        **_looking_up(rule),
        name=sql.Literal(rule.attribute),
        differs=_differs(rules, "f"),
        differs_joined=_differs(rules, "g"),
        register=sql.Literal(rules.register),
    )


def _looking_up(rule: IdentifierRule) -> dict[str, sql.Composable]:
    return {
        "method": sql.Literal(rule.method),
        "scheme": sql.Literal(rule.scheme),
        "attribute": sql.Identifier("s", rule.attribute),
        "usable": _usable(rule, "s"),
        "in_force": _IN_FORCE[rule.current],
    }


def _differs(rules: Rulebook, table: str) -> sql.Composed:
    sufficient = [
        f"{name} {birth_date}{sex}"
        for name, agreement in rules.matching.same_person.items()
        for sex, dates in (("", agreement.birth_date), (" another_sex", agreement.another_sex))
        for birth_date in dates
    ]
    return _DIFFERS.format(table=sql.Identifier(table), sufficient=sql.Literal(sufficient))


def _naming(rule: IdentifierRule) -> dict[str, sql.Composable]:
    return {"scheme": sql.Literal(rule.scheme), "attribute": sql.Identifier("r", rule.attribute)}


def _usable(rule: IdentifierRule, table: str) -> sql.Composed:
    """The condition that a record states a value that the rule looks up; a partial index serves it."""
    attribute = sql.Identifier(table, rule.attribute)
    if rule.digits is None:
        return sql.SQL("{} is not null").format(attribute)
    return sql.SQL("length({}) = {}").format(attribute, sql.Literal(rule.digits))

"""Measures coverage: how many items of a procedure's form the hub fills, over all people of an agreement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from psycopg2 import sql
from psycopg2.extras import Json, RealDictCursor

from oncehub.config.administrative_units import REFORM
from oncehub.config.agreements import Agreement, Condition
from oncehub.config.procedures import Item, Procedure
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import find_agreement, load_agreements
from oncehub.share.agreements.permissions import today
from oncehub.share.agreements.population import Catalogues
from oncehub.share.agreements.population import population_condition as population_of
from oncehub.share.agreements.procedures import load_procedures
from oncehub.share.coverage.conditions import FILLED
from oncehub.share.coverage.statement import (
    PAPER,
    Question,
    answers_statement,
    count_statement,
    people_in,
    question_of,
)
from oncehub.share.people.relatives import is_covered
from oncehub.store.connection import Connection
from oncehub.store.migrate import opened
from oncehub.traces import step

CONFIRM = "confirm"

_RECORD = """
insert into share.coverage (day, agreement, procedure, people, items, filled, confirm, papers,
    missing)
values (%(day)s, %(agreement)s, %(procedure)s, %(people)s, %(items)s, %(filled)s, %(confirm)s,
    %(papers)s, %(missing)s)
on conflict (agreement, procedure, day) do update set
    people = excluded.people, items = excluded.items, filled = excluded.filled, confirm = excluded.confirm,
    papers = excluded.papers, missing = excluded.missing, measured_at = now()
"""

_HISTORY = """
select day, agreement, procedure, people, items, filled, confirm, papers, missing
from share.coverage
where (%(procedure)s::text is null or procedure = %(procedure)s)
  and (%(agreement)s::text is null or agreement = %(agreement)s)
order by procedure, agreement, day
"""


@dataclass(frozen=True)
class Coverage:
    """How the form of a procedure is answered under an agreement, over many people.

    Attributes:
        day: whose version of the form it is.
        people: for whom the form may be opened.
        items: that the form has for one person.
        filled: items filled that need no confirmation, of all people together, as are the next three.
        confirm: items filled that the citizen must confirm.
        papers: papers that need not be handed in, as an earlier one is there.
        missing: items that the citizen must still give, by reason.
        by_item: the same by item: `filled`, `confirm`, `paper` or a reason -> people; empty in the history.
    """

    day: date
    agreement: str
    procedure: str
    people: int
    items: int
    filled: int
    confirm: int
    papers: int
    missing: dict[str, int]
    by_item: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def share(self) -> float | None:
        """The share of items that the citizen need not give, 0 to 1; None without people."""
        whole = self.people * self.items
        return (self.filled + self.confirm + self.papers) / whole if whole else None


def measure(
    settings: Settings,
    database: Connection,
    *,
    agreement: str | None = None,
    procedure: str | None = None,
    province: str | None = None,
    sample: int | None = None,
    day: date | None = None,
) -> list[Coverage]:
    """Answer the forms of procedures for all people whom agreements cover, in one statement an agreement.

    Args:
        settings: where agreements and procedures stand.
        database: as the hub's own role.
        agreement: only under this one; all that cover a procedure and are in force unless named.
        procedure: only this one's form.
        province: only people whose permanent address lies in it: a code of the 34 provinces of 2025-07-01.
        sample: the most people to count, those with the lowest keys, which are random.
        day: of the dossiers; today unless given.

    Raises:
        ConfigError: when there is no such agreement, procedure or province, or the agreement does not cover
            the procedure.
    """
    day = day or today()
    procedures = load_procedures(settings)
    if procedure is not None and procedure not in procedures:
        raise ConfigError(f"there is no procedure {procedure!r}; see: oncehub procedures list")
    covering = _agreements(settings, agreement, procedure, day)
    lives = _lives_in(settings.mappings, province) if province else sql.SQL("true")
    found = []
    for each in covering:
        forms = {code: procedures[code] for code in each.procedures if procedure in (None, code)}
        found += answer_forms(database, each, forms, day, restriction=lives, sample=sample)
    return found


def record_day(settings: Settings, database: Connection | None = None) -> list[Coverage]:
    """Measure all procedures under all agreements, and keep the figures as those of today.

    A second time the same day it replaces them.
    """
    with step("measure"), opened(settings, database) as connection, connection:
        measured = measure(settings, connection)
        with connection.cursor() as cursor:
            for each in measured:
                row = {name: getattr(each, name) for name in ("day", "agreement", "procedure", "people")}
                row |= {name: getattr(each, name) for name in ("items", "filled", "confirm", "papers")}
                cursor.execute(_RECORD, {**row, "missing": Json(each.missing)})
    return measured


def history(
    database: Connection, *, agreement: str | None = None, procedure: str | None = None
) -> list[Coverage]:
    """Return the figures kept, by procedure, agreement and day."""
    with database, database.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_HISTORY, {"agreement": agreement, "procedure": procedure})
        return [Coverage(**row) for row in cursor.fetchall()]


def _agreements(settings: Settings, name: str | None, procedure: str | None, day: date) -> list[Agreement]:
    if name is not None:
        asked = [find_agreement(settings, name)]
    else:
        asked = [each for each in load_agreements(settings).values() if each.in_force(day)]
    # Consent is given by single people and is no basis for a figure over all.
    common = [each for each in asked if not each.needs_consent]
    covering = [each for each in common if each.procedures and procedure in (None, *each.procedures)]
    if not covering:
        whose = f"the agreement {name} is none that" if name else "no agreement in force"
        what = f"the procedure {procedure}" if procedure else "any procedure"
        raise ConfigError(f"{whose} covers {what} without each person's consent")
    return covering


def _lives_in(mappings: Path, province: str) -> sql.Composed:
    catalogues = Catalogues(mappings)
    condition = Condition(province=(province,), edition=date.fromisoformat(REFORM))
    if province not in catalogues.known(condition):
        raise ConfigError(f"there is no province {province!r} since {REFORM}; write its 2-digit code")
    return sql.SQL(
        "coalesce((person.permanent_address ->> 'edition') || '/' || (person.permanent_address ->> 'unit') "
        "= any({}), false)"
    ).format(sql.Literal(list(catalogues.places(condition))))


def answer_forms(
    database: Connection,
    agreement: Agreement,
    procedures: Mapping[str, Procedure],
    day: date,
    *,
    restriction: sql.Composable,
    sample: int | None = None,
) -> list[Coverage]:
    """Answer the forms of procedures for all people whom an agreement covers, in the caller's transaction.

    Args:
        database: as the hub's own role.
        agreement: on whose behalf.
        procedures: by id; those without a form on the day are left out.
        day: of the dossiers.
        restriction: a condition on `person`, of `truth.person`.
        sample: the most people to count, the first by key.
    """
    forms = {code: each.items_on(day) for code, each in procedures.items() if each.form_on(day)}
    questions = questions_of(forms.values(), agreement)
    population = {name: population_of(agreement, name) for name in people_in(questions)}
    values = {"sample": sample}
    with database.cursor() as cursor:
        cursor.execute(count_statement(population["person"], restriction), values)
        ((people,),) = cursor.fetchall()
        answers: dict[int, dict[str, int]] = {number: {} for number in range(len(questions))}
        if questions:
            cursor.execute(answers_statement(questions, population, restriction), values)
            for number, answer, count in cursor.fetchall():
                answers[number][answer] = count
    by_question = {question: answers[number] for number, question in enumerate(questions)}
    return [
        _summed(
            Coverage(day, agreement.name, code, people, len(items), 0, 0, 0, {}),
            {name: _by_answer(item, agreement, people, by_question) for name, item in items.items()},
        )
        for code, items in forms.items()
    ]


def questions_of(forms: Iterable[Mapping[str, Item]], agreement: Agreement) -> list[Question]:
    """Return what decides how the items of forms are answered, each question once, in the items' order."""
    asked = (_question(item, agreement) for items in forms for item in items.values())
    return list(dict.fromkeys(question for question in asked if question))


def _question(item: Item, agreement: Agreement) -> Question | None:
    """Return what of a person decides how the item is answered; None where nothing does."""
    if item.fills:
        return question_of(item) if is_covered(item, agreement) else None
    return question_of(item) if agreement.papers else None


def _by_answer(
    item: Item, agreement: Agreement, people: int, answers: Mapping[Question, Mapping[str, int]]
) -> dict[str, int]:
    question = _question(item, agreement)
    if question is None:
        return {"not_allowed" if item.fills else "citizen_provides": people}
    counted = dict(answers[question])
    if item.confirm and FILLED in counted:
        counted[CONFIRM] = counted.pop(FILLED)
    return counted


def _summed(form: Coverage, by_item: dict[str, dict[str, int]]) -> Coverage:
    total: Counter[str] = Counter()
    for counts in by_item.values():
        total.update(counts)
    return replace(
        form,
        filled=total.pop(FILLED, 0),
        confirm=total.pop(CONFIRM, 0),
        papers=total.pop(PAPER, 0),
        missing={reason: count for reason, count in sorted(total.items()) if count},
        by_item=by_item,
    )

"""The statement that answers forms of many people at once, by the functions that answer one: `share.open`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from psycopg2 import sql

from oncehub.config.entities import unqualified
from oncehub.config.procedures import Item, Paper
from oncehub.share.coverage.conditions import (
    HEAD,
    JOIN_HOUSEHOLD,
    MEMBER,
    HouseholdQuestion,
    household_answer,
    household_part,
    unfound_status,
    value_status,
)
from oncehub.share.forms.papers import wanted_papers
from oncehub.store.statements import statement

PAPER: Final = "paper"

_ANSWERS = statement(__name__, "answers")

_COUNT = sql.SQL("""
select count(*) from (
    select from truth.person as person
    where share.is_living(person.life_status) and {population} and {restriction}
    limit %(sample)s
) as counted
""")

_RELATIVE = statement(__name__, "relative")

_JOIN = sql.SQL("""
left join {found} on {found}.person_key = person.person_key
left join truth.person as {relative} on {relative}.person_key = {found}.relative and {population}
left join conflict as {conflict} on {conflict}.person_key = {relative}.person_key
""")

_PAPERS = statement(__name__, "papers")

_JOIN_PAPERS = sql.SQL("left join kept on kept.person_key = person.person_key")

_RELATIVE_ANSWER = sql.SQL("""
case
    when {relative}.person_key is null then {unfound}
    else share.relative_status({even_if_deceased}, {relative}.life_status, {status})
end
""")


@dataclass(frozen=True)
class PaperQuestion:
    """Whether an earlier paper spares the one that an item asks for."""

    papers: tuple[Paper, ...]
    max_age: timedelta | None


@dataclass(frozen=True)
class ValueQuestion:
    """What of an item with an attribute decides how it is answered; items of many forms ask the same."""

    attribute: str
    of: str | None
    even_if_deceased: bool
    max_age: timedelta | None


Question = ValueQuestion | PaperQuestion | HouseholdQuestion


def question_of(item: Item) -> Question | None:
    """Return what decides how an item is answered; None where nothing does, and it is always asked."""
    if item.attributes:
        return HouseholdQuestion(tuple(unqualified(name) for name in item.attributes), item.max_age)
    if item.attribute:
        name = unqualified(item.attribute)
        return ValueQuestion(name, item.of, item.even_if_deceased, item.max_age)
    return PaperQuestion(item.replaced_by, item.max_age) if item.replaced_by else None


def answers_statement(
    questions: Sequence[Question], population: Mapping[str, sql.Composable], restriction: sql.Composable
) -> sql.Composed:
    """Build the statement that counts, of every question by its place, people by answer.

    The placeholder `sample` is how many people at most (null: all).

    Args:
        questions: at least one.
        population: name of a person in the statement -> condition that the agreement covers them.
        restriction: a further condition on `person`.
    """
    relations = _relations(questions)
    numbered = list(enumerate(questions))
    papers = {number: each for number, each in numbered if isinstance(each, PaperQuestion)}
    households = {number: each for number, each in numbered if isinstance(each, HouseholdQuestion)}
    return _ANSWERS.format(
        population=population["person"],
        restriction=restriction,
        tables=sql.SQL("").join(
            sql.SQL(", {} as materialized (\n{})\n").format(name, query)
            for name, query in _tables(relations, papers, households, population)
        ),
        joins=sql.SQL(" ").join(
            [_JOIN_PAPERS] * bool(papers)
            + [JOIN_HOUSEHOLD] * bool(households)
            + [
                _JOIN.format(
                    found=_found(relation),
                    relative=sql.Identifier(f"its_{relation}"),
                    conflict=sql.Identifier(f"conflict_{relation}"),
                    population=population[f"its_{relation}"],
                )
                for relation in relations
            ]
        ),
        questions=sql.SQL(", ").join(
            sql.SQL("({}, {})").format(sql.Literal(number), _answer(question, number))
            for number, question in enumerate(questions)
        ),
    )


def count_statement(population: sql.Composable, restriction: sql.Composable) -> sql.Composed:
    """Build the statement that counts the people for whom a form may be opened."""
    return _COUNT.format(population=population, restriction=restriction)


def people_in(questions: Iterable[Question]) -> list[str]:
    """Return the names that people have in the statement."""
    return ["person", MEMBER, *(f"its_{relation}" for relation in _relations(questions))]


def _tables(
    relations: Sequence[str],
    papers: Mapping[int, PaperQuestion],
    households: Mapping[int, HouseholdQuestion],
    population: Mapping[str, sql.Composable],
) -> Iterator[tuple[sql.Identifier, sql.Composable]]:
    """Give the further common table expressions that the questions need: name and query."""
    for relation in sorted({*relations, *([HEAD] * bool(households))}):
        yield (
            _found(relation),
            _RELATIVE.format(tie=sql.Identifier(relation), name=sql.Literal(relation)),
        )
    if households:
        yield sql.Identifier("household"), household_part(households, _found(HEAD), population[MEMBER])
    if papers:
        yield sql.Identifier("kept"), _papers(papers)


def _relations(questions: Iterable[Question]) -> list[str]:
    values = [question for question in questions if isinstance(question, ValueQuestion)]
    return sorted({question.of for question in values if question.of})


def _found(relation: str) -> sql.Identifier:
    return sql.Identifier(f"found_{relation}")


def _papers(asked: Mapping[int, PaperQuestion]) -> sql.Composed:
    wanted = wanted_papers({number: (each.papers, each.max_age) for number, each in asked.items()})
    return _PAPERS.format(
        kept=sql.SQL(", ").join(
            sql.SQL("bool_or(paper.place = {}) as {}").format(sql.Literal(number), _kept(number))
            for number in asked
        ),
        wanted=sql.Literal(json.dumps(wanted)),
    )


def _kept(number: int) -> sql.Identifier:
    return sql.Identifier(f"kept_{number}")


def _answer(question: Question, number: int) -> sql.Composed:
    if isinstance(question, PaperQuestion):
        return sql.SQL("case when kept.{} then {} else 'citizen_provides' end").format(
            _kept(number), sql.Literal(PAPER)
        )
    return sql.SQL("({})::text").format(_status(question, number))


def _status(question: ValueQuestion | HouseholdQuestion, number: int) -> sql.Composed:
    if isinstance(question, HouseholdQuestion):
        return household_answer(question, number)
    if question.of is None:
        return value_status("person", "conflict", question.attribute, question.max_age)
    relative = f"its_{question.of}"
    return _RELATIVE_ANSWER.format(
        relative=sql.Identifier(relative),
        unfound=unfound_status(question.of),
        even_if_deceased=sql.Literal(question.even_if_deceased),
        status=value_status(relative, f"conflict_{question.of}", question.attribute, question.max_age),
    )

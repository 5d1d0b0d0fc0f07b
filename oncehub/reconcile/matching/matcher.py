"""Matches the records that no identifier links, by the active model.

The verdict on a record depends on the record, the people who share a blocking key with it, and the model, not
on the other records of a run. A person who changes draws in the records that share a key with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Final

import orjson
import polars as pl
from psycopg2 import sql

from oncehub.config.rules import ModelRules
from oncehub.reconcile.matching.blocking import are_many, find_people, kept_keys, note_changed_keys, note_keys
from oncehub.reconcile.matching.bulk_blocking import Blocked, block_in_bulk
from oncehub.reconcile.matching.evidence import MatchCandidate, weights_of
from oncehub.reconcile.matching.features import (
    fetched,
    frame_of_people,
    frame_of_records,
    note_people,
    note_records,
)
from oncehub.reconcile.matching.models import Model, active_model
from oncehub.reconcile.matching.scoring import score
from oncehub.reconcile.rules.planner_hints import PlannerHints
from oncehub.reconcile.rules.rulebook import Rulebook
from oncehub.store.connection import Cursor
from oncehub.store.frames import copy_frame
from oncehub.store.statements import statement

NAMED: Final = 10
"""The most people that a case names, the most probable first."""

# A merged person is compared as the survivor, whose own record the register has.
_CANDIDATE_PEOPLE: Final = """
delete from key_person p using truth.merged_person j where j.person_key = p.person_key;
insert into candidate_person
select row_number() over (), person_key
from (select distinct person_key from key_person where person_key is not null) found;
analyze key_person;
analyze candidate_person;
"""

# A person whom an override excludes is not compared.
_PAIRS: Final = sql.SQL("""
select distinct k.id as record, w.id as person
from unmatched_key k join key_person p using (key) join candidate_person w using (person_key)
where not exists (
    select from unmatched j join ruled r using (source, stream, source_key)
    where j.id = k.id and r.person_key = p.person_key and r.verdict = 'different'
)
""")

_NAMED: Final = sql.SQL("select id as person, person_key from candidate_person")

# Few records: most records without a link state no number.
_NUMBERED: Final = sql.SQL("""
select j.id as record from unmatched j join stating t on t.entry = j.id where {numbered}
""")

_CONTRADICTING: Final = sql.SQL("""
select w.id as record, w.person_key
from scored w join stating t on t.entry = w.id
where {contradicted}
""")

# The record states a number of the register, and the person bears another of its scheme and not this one.
_CONTRADICTED: Final = sql.SQL("""(
    t.{attribute} is not null
    and exists (
        select from truth.identifier i where i.scheme = {scheme} and i.person_key = w.person_key
    )
    and not exists (
        select from truth.identifier i
        where i.scheme = {scheme} and i.value = text.identifying({scheme}, t.{attribute})
            and i.person_key = w.person_key
    )
)""")


@dataclass(frozen=True)
class MatchReport:
    """The results of matching in one run.

    Attributes:
        model: number of the active model; None without one, and nothing was matched.
        judged: records that it compared in this run.
        linked: of those, how many it linked.
        cases: of those, how many it left to a clerk.
        oversized: their blocking keys that more than `max_block_size` people share.
    """

    model: int | None = None
    judged: int = 0
    linked: int = 0
    cases: int = 0
    oversized: int = 0


@dataclass(frozen=True)
class Matcher:
    """The active model, with the thresholds of matching.yaml."""

    rules: Rulebook
    measure: ModelRules
    model: Model

    @classmethod
    def active(cls, cursor: Cursor, rules: Rulebook) -> Matcher | None:
        """Return the matcher of this run; None without an active model, or without `model:` in the rules."""
        measure = rules.matching.model
        model = active_model(cursor.connection) if measure else None
        return cls(rules, measure, model) if measure and model else None

    def draw(self, cursor: Cursor, hints: PlannerHints) -> None:
        """Add to `drawn` the records whose verdict may depend on people who changed."""
        cursor.execute(statement(__name__, "work_tables"))
        cursor.execute("select exists (select from truth.blocked_record)")
        if not (cursor.fetchone() or (False,))[0]:
            return
        if hints.large:
            cursor.execute(statement(__name__, "drawn_all"))
            return
        cursor.execute(statement(__name__, "changed"))
        cursor.execute(statement(__name__, "evidence_records"))
        note_changed_keys(cursor, self.model.rules)
        find_people(cursor, self.model.rules, self.rules.register, "unmatched_key")
        cursor.execute(statement(__name__, "dispersed"))
        cursor.execute("analyze changed_key")
        cursor.execute(statement(__name__, "drawn_by_people"))

    def match(self, cursor: Cursor, hints: PlannerHints) -> MatchReport:
        """Match the records of `stating` without a verdict: add links to `verdict`, and cases to `asked`."""
        cursor.execute(statement(__name__, "unmatched"))
        many = are_many(cursor, self.model.rules, self.rules.register)
        with nullcontext() if many else hints.looking_up(cursor):
            blocked = self._blocked(cursor, many=many)
            predictions = self._predictions(cursor, blocked, self.measure.case, weights=not many)
            linked, cases = self._decide(cursor, blocked, predictions) if len(predictions) else (0, 0)
        keep = statement(__name__, "kept_keys_of_all" if hints.large else "kept_keys")
        cursor.execute(keep.format(kept=kept_keys(self.model.rules, of_many=many)))
        cursor.execute(statement(__name__, "outcome"))
        cursor.execute("select (select count(*) from unmatched), (select count(*) from oversized)")
        judged, oversized = cursor.fetchone() or (0, 0)
        return MatchReport(self.model.model_id, judged, linked, cases, oversized)

    def compare(self, cursor: Cursor) -> list[MatchCandidate]:
        """Return the people whom a record may describe, the most probable first, whatever its link is.

        Linking's work tables must be there, and `stating` must hold this record alone. Nothing is stored.
        """
        cursor.execute(statement(__name__, "work_tables"))
        cursor.execute("insert into unmatched select entry, source, stream, source_key from stating")
        blocked = self._blocked(cursor, many=False)
        predictions = self._predictions(cursor, blocked, 0)
        if predictions.is_empty():
            return []
        named = self._named(cursor, blocked, self._weighed(cursor, predictions), predictions)
        return [each for people in named.values() for each in people]

    def _decide(self, cursor: Cursor, blocked: Blocked, predictions: pl.DataFrame) -> tuple[int, int]:
        scored = self._weighed(cursor, predictions)
        alone = pl.len().over("record") == 1
        link = alone & pl.col("agrees") & (pl.col("probability") >= self.measure.link)
        links = scored.filter(link)
        _stage(
            cursor, "matched", links.select(id="record", person_key="person_key", probability="probability")
        )
        named = self._named(cursor, blocked, scored.filter(~link), predictions)
        cases = [(record, people[0].person_key, self._evidence(people)) for record, people in named.items()]
        _stage(cursor, "possible", pl.DataFrame(cases, _CASE, orient="row"))
        candidates = [(record, each.person_key) for record, people in named.items() for each in people]
        _stage(cursor, "possible_candidate", pl.DataFrame(candidates, _CANDIDATE, orient="row"))
        return len(links), len(cases)

    def _blocked(self, cursor: Cursor, *, many: bool) -> Blocked:
        """Return the pairs to compare: by reading all people, or by look-ups."""
        model, register = self.model.rules, self.rules.register
        note_records(cursor, model)
        if many:
            return block_in_bulk(cursor, model, register)
        note_keys(cursor, model)
        find_people(cursor, model, register, "unmatched_key")
        cursor.execute(_CANDIDATE_PEOPLE)
        cursor.execute(statement(__name__, "evidence_records"))
        pairs = fetched(cursor, _PAIRS)
        if pairs.is_empty():
            return Blocked(pairs, pairs, pairs, pairs)
        note_people(cursor, model, register)
        records, people = frame_of_records(cursor, model), frame_of_people(cursor, model)
        return Blocked(pairs, records, people, fetched(cursor, _NAMED))

    def _predictions(
        self, cursor: Cursor, blocked: Blocked, at_least: float, *, weights: bool = True
    ) -> pl.DataFrame:
        """Score the pairs, and return those of at least this probability with their `person_key`."""
        if blocked.pairs.is_empty():
            return pl.DataFrame()
        sides = (blocked.records, blocked.people, blocked.pairs)
        predictions = score(cursor.connection, self.model, *sides, at_least=at_least, weights=weights)
        return predictions.join(blocked.named, left_on="unique_id_l", right_on="person")

    def _weighed(self, cursor: Cursor, predictions: pl.DataFrame) -> pl.DataFrame:
        """Return record, person, probability, person_key, agrees: of each record the most probable first."""
        scores = predictions.select(
            "person_key", record="unique_id_r", person="unique_id_l", probability="match_probability"
        )
        against = self._contradicting(cursor, scores).with_columns(agrees=False)
        return (
            scores.join(against, on=["record", "person_key"], how="left")
            .with_columns(pl.col("agrees").fill_null(value=True))
            .sort("record", "probability", "person_key", descending=[False, True, False])
        )

    def _contradicting(self, cursor: Cursor, scores: pl.DataFrame) -> pl.DataFrame:
        """Return the pairs (record, person_key) whose numbers contradict each other."""
        numbered = fetched(cursor, _NUMBERED.format(numbered=self._numbered()))
        doubtful = scores.join(numbered, on="record", how="semi").select("person_key", id="record")
        _stage(cursor, "scored", doubtful)
        return fetched(cursor, _CONTRADICTING.format(contradicted=self._contradicted()))

    def _named(
        self, cursor: Cursor, blocked: Blocked, scored: pl.DataFrame, predictions: pl.DataFrame
    ) -> dict[str, list[MatchCandidate]]:
        """Return by record the people whom a case names, with the evidence."""
        named = scored.group_by("record", maintain_order=True).head(NAMED)
        if named.is_empty():
            return {}
        if not any(column.startswith("gamma_") for column in predictions.columns):
            predictions = self._predictions(cursor, blocked.only(named), 0)
        asked = named.join(
            predictions,
            left_on=["record", "person"],
            right_on=["unique_id_r", "unique_id_l"],
            maintain_order="left",
            coalesce=False,
        )
        candidates: dict[str, list[MatchCandidate]] = {}
        for row in asked.iter_rows(named=True):
            weights = tuple(weights_of(self.model, row))
            candidate = MatchCandidate(row["person_key"], row["probability"], not row["agrees"], weights)
            candidates.setdefault(row["record"], []).append(candidate)
        return candidates

    def _evidence(self, people: Sequence[MatchCandidate]) -> str:
        content = {"model": self.model.model_id, "candidates": [asdict(each) for each in people]}
        return orjson.dumps(content).decode()

    def _numbered(self) -> sql.Composable:
        attributes = sorted({rule.attribute for rule in self.rules.register_identifiers})
        return sql.SQL(" or ").join(
            sql.SQL("{} is not null").format(sql.Identifier("t", attribute)) for attribute in attributes
        )

    def _contradicted(self) -> sql.Composable:
        schemes = {(rule.scheme, rule.attribute) for rule in self.rules.register_identifiers}
        return sql.SQL(" or ").join(
            _CONTRADICTED.format(scheme=sql.Literal(scheme), attribute=sql.Identifier(attribute))
            for scheme, attribute in sorted(schemes)
        )


_CANDIDATE: Final = {"id": pl.String, "person_key": pl.String}
_CASE: Final = {**_CANDIDATE, "evidence": pl.String}


def _stage(cursor: Cursor, table: str, frame: pl.DataFrame) -> None:
    copy_frame(cursor.connection, frame, sql.Identifier("pg_temp", table), frame.columns)

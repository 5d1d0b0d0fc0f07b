"""The evidence for a match: which comparisons agreed, which did not, and the weight of each.

Stored with a case of kind `possible_match` (`truth.case_file.evidence`), so that it can be shown as it was
when the case arose. It holds levels of agreement and weights, not the values that were compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter

from oncehub.reconcile.matching.models import Model

PRIOR: Final = "prior"
RARITY: Final = "how rare it is"


@dataclass(frozen=True)
class MatchWeight:
    """One piece of evidence.

    Attributes:
        comparison: the attribute, or `PRIOR`.
        level: how far the two agree; `not stated` weighs nothing.
        bits: +1 doubles the odds that they are one person, -1 halves them.
    """

    comparison: str
    level: str
    bits: float

    @property
    def factor(self) -> float:
        """The Bayes factor: how many times more probable this is for one person than for two."""
        return float(2.0**self.bits)


@dataclass(frozen=True)
class MatchCandidate:
    """A person whom a record may describe.

    Attributes:
        person_key: the person's key.
        probability: that the record describes this person, by the weights.
        contradicted: the record states a number that this person does not bear.
        weights: in the order of the chart; their sum is the logarithm of the odds.
    """

    person_key: str
    probability: float
    contradicted: bool
    weights: tuple[MatchWeight, ...]


def candidates_of(evidence: Mapping[str, Any]) -> list[MatchCandidate]:
    """Read the people named in the evidence of a case of kind `possible_match`, the most probable first."""
    return TypeAdapter(list[MatchCandidate]).validate_python(evidence["candidates"])


def weights_of(model: Model, prediction: Mapping[str, Any]) -> Iterator[MatchWeight]:
    """Return the weights of a row that `scoring.score` returned."""
    prior = model.settings["probability_two_random_records_match"]
    yield MatchWeight(PRIOR, "one person in all of the register", math.log2(prior / (1 - prior)))
    for comparison in model.settings["comparisons"]:
        name = comparison["output_column_name"]
        levels = comparison["comparison_levels"]
        # Splink numbers the levels from the last (0) to the first; -1 is the one that weighs nothing.
        number = prediction[f"gamma_{name}"]
        place = 0 if number == -1 else len(levels) - 1 - number
        yield MatchWeight(name, levels[place]["label_for_charts"], prediction[f"mw_{name}"])
        if rarity := prediction.get(f"mw_tf_adj_{name}"):
            yield MatchWeight(name, RARITY, rarity)


def chart_of(candidates: Sequence[MatchCandidate]) -> str:
    """Draw the weights as Splink's waterfall chart, an HTML page that needs no network."""
    from splink.internals.charts import WaterfallChart  # noqa: PLC0415 - half a second, for a chart only

    pieces = [piece for number, each in enumerate(candidates) for piece in _pieces(number, each)]
    return str(WaterfallChart(pieces, filter_nulls=True).to_html(inline=True))


def _pieces(number: int, candidate: MatchCandidate) -> Iterator[dict[str, Any]]:
    total = MatchWeight(
        "Final score", f"{candidate.probability:.4f}", sum(each.bits for each in candidate.weights)
    )
    for place, weight in enumerate((*candidate.weights, total)):
        name = "Prior" if weight.comparison == PRIOR else weight.comparison
        yield {
            "column_name": f"tf_{name}" if weight.level == RARITY else name,
            "label_for_charts": weight.level,
            "bayes_factor": weight.factor,
            "log2_bayes_factor": weight.bits,
            "bayes_factor_description": f"weighs {weight.bits:+.2f} bits",
            "comparison_vector_value": None,
            "sql_condition": None,
            "value_l": "",
            "value_r": "",
            "bar_sort_order": place,
            "record_number": number,
        }

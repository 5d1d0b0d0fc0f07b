"""Why a model holds that a record speaks of a person: what agreed, what did not, and how much each weighs.

Kept with a case of kind `possible_match` (`truth.case_file.evidence`), so that it can be shown as it was when
the case arose. It tells levels of agreement and weights, and nothing that either side states.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from oncehub.reconcile.matching.models import Model

PRIOR: Final = "before anything is compared"
RARITY: Final = "how rare it is"


@dataclass(frozen=True)
class Weight:
    """One piece of evidence.

    Attributes:
        comparison: the attribute, or `PRIOR`.
        level: how far the two agree on it; `not stated` weighs nothing.
        bits: +1 doubles the odds that they are one person, -1 halves them.
    """

    comparison: str
    level: str
    bits: float

    @property
    def factor(self) -> float:
        """The Bayes factor: how many times more probable this is of one person than of two."""
        return float(2.0**self.bits)


@dataclass(frozen=True)
class Candidate:
    """A person whom a record may speak of.

    Attributes:
        person_key: whom.
        probability: that they are one, by the weights.
        contradicted: the record states a number that this person does not bear.
        weights: in the order of the chart; their sum is the logarithm of the odds.
    """

    person_key: str
    probability: float
    contradicted: bool
    weights: tuple[Weight, ...]

    def as_document(self) -> dict[str, Any]:
        """Return what `candidates_of` reads."""
        return asdict(self)


def candidates_of(evidence: Mapping[str, Any]) -> list[Candidate]:
    """Read the people named in the evidence of a case of kind `possible_match`, the most probable first."""
    return [
        Candidate(
            person_key=each["person_key"],
            probability=each["probability"],
            contradicted=each["contradicted"],
            weights=tuple(Weight(**weight) for weight in each["weights"]),
        )
        for each in evidence["candidates"]
    ]


def weights_of(model: Model, prediction: Mapping[str, Any]) -> Iterator[Weight]:
    """Give the weights of a row that `scoring.score` returned."""
    prior = model.settings["probability_two_random_records_match"]
    yield Weight(PRIOR, "one person in all of the register", math.log2(prior / (1 - prior)))
    for comparison in model.settings["comparisons"]:
        name = comparison["output_column_name"]
        levels = comparison["comparison_levels"]
        # Splink numbers the levels from the last (0) to the first; -1 is the one that weighs nothing.
        number = prediction[f"gamma_{name}"]
        place = 0 if number == -1 else len(levels) - 1 - number
        yield Weight(name, levels[place]["label_for_charts"], prediction[f"mw_{name}"])
        if rarity := prediction.get(f"mw_tf_adj_{name}"):
            yield Weight(name, RARITY, rarity)


def chart_of(candidates: Sequence[Candidate]) -> str:
    """Draw the weights as Splink's waterfall chart, an HTML page that needs no network."""
    from splink.internals.charts import WaterfallChart  # noqa: PLC0415 - half a second, for a chart only

    pieces = [piece for number, each in enumerate(candidates) for piece in _pieces(number, each)]
    return str(WaterfallChart(pieces, filter_nulls=True).to_html(inline=True))


def _pieces(number: int, candidate: Candidate) -> Iterator[dict[str, Any]]:
    total = Weight(
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

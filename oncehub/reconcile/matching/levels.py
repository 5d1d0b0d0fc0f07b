"""The comparison levels of each kind of evidence, as Splink settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from oncehub.config.rules import Evidence, ModelRules

Level = dict[str, Any]

DATASETS: Final = ("person", "record")
"""Names of the two sides, with which Splink's ids begin."""


def splink_settings(rules: ModelRules, prior: float) -> dict[str, Any]:
    """Return untrained settings for linking the frames of `features`.

    Args:
        rules: what is compared, and how.
        prior: probability that a record and a person, both taken at random, belong together.
    """
    return {
        "link_type": "link_only",
        "sql_dialect": "duckdb",
        "unique_id_column_name": "unique_id",
        "source_dataset_column_name": "source_dataset",
        "probability_two_random_records_match": prior,
        # Splink returns the levels, which the evidence needs, only with the compared columns.
        "retain_matching_columns": True,
        "retain_intermediate_calculation_columns": True,
        "comparisons": [
            {
                "output_column_name": attribute,
                "comparison_description": evidence,
                "comparison_levels": _LEVELS[evidence](attribute),
            }
            for attribute, evidence in rules.compare.items()
        ],
    }


def terms(rules: ModelRules) -> list[str]:
    """Return the columns whose values weigh by their frequency."""
    return [f"{attribute}_key" for attribute, evidence in rules.compare.items() if evidence == "name"]


def _name(attribute: str) -> list[Level]:
    left, right = f"{attribute}_key_l", f"{attribute}_key_r"
    frequency = {
        "tf_adjustment_column": f"{attribute}_key",
        # The frequency of the name replaces the u-probability of the level.
        "disable_tf_exact_match_detection": True,
    }
    return [
        _null(f"{left} is null or {right} is null"),
        _level("as stated", f"{attribute}_l = {attribute}_r", **frequency),
        _level("folded", f"{left} = {right}", **frequency),
        _level("in another order", f"{attribute}_parts_l = {attribute}_parts_r"),
        _level("one letter off", f"damerau_levenshtein({left}, {right}) <= 1"),
        _ELSE,
    ]


def _date(attribute: str) -> list[Level]:
    left, right = f"{attribute}_l", f"{attribute}_r"
    year = f"substr({left}, 1, 4) = substr({right}, 1, 4)"
    whole = f"length({left}) = 10 and length({right}) = 10"
    return [
        _null(f"{left} is null or {right} is null"),
        _level("same day", f"{left} = {right} and {whole}"),
        _level(
            "day and month swapped",
            f"{year} and {whole} and substr({left}, 6, 2) = substr({right}, 9, 2) "
            f"and substr({left}, 9, 2) = substr({right}, 6, 2)",
        ),
        _level(
            "year alone, or 1 January",
            f"{year} and (length({left}) < 10 or length({right}) < 10 "
            f"or substr({left}, 5) = '-01-01' or substr({right}, 5) = '-01-01')",
        ),
        _level("same year", year),
        _ELSE,
    ]


def _commune(attribute: str) -> list[Level]:
    left, right = f"{attribute}_l", f"{attribute}_r"
    return [
        _null(f"{left} is null or {right} is null"),
        # Two communes of one catalogue agree when equal; of two catalogues, when one became the other.
        _level(
            "same commune",
            f"{left} = {right} or (substr({left}, 1, 1) <> substr({right}, 1, 1) "
            f"and list_has_any({attribute}_present_l, {attribute}_present_r))",
        ),
        _ELSE,
    ]


def _shared(attribute: str) -> list[Level]:
    left, right = f"{attribute}_l", f"{attribute}_r"
    return [
        _null(f"{left} is null or {right} is null"),
        _level("shared", f"list_has_any({left}, {right})"),
        _ELSE,
    ]


def _exact(attribute: str) -> list[Level]:
    left, right = f"{attribute}_l", f"{attribute}_r"
    return [_null(f"{left} is null or {right} is null"), _level("equal", f"{left} = {right}"), _ELSE]


def _level(label: str, condition: str, **more: Any) -> Level:
    return {"sql_condition": condition, "label_for_charts": label, **more}


def _null(condition: str) -> Level:
    return {"sql_condition": condition, "label_for_charts": "not stated", "is_null_level": True}


_ELSE: Final[Level] = {"sql_condition": "ELSE", "label_for_charts": "differs"}

_LEVELS: Final[Mapping[Evidence, Callable[[str], list[Level]]]] = {
    "name": _name,
    "date": _date,
    "commune": _commune,
    "shared": _shared,
    "exact": _exact,
}

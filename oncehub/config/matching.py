"""`model:` of `mappings/rules/matching.yaml`: how records that no identifier links are matched."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from oncehub.config.documents import Section

BlockingKey = Literal[
    "name_key",
    "name_parts",
    "first_part",
    "last_part",
    "birth_date",
    "birth_year",
    "sex",
    "commune",
    "phone",
    "tax_code",
]
"""What two records may share to be compared.

`name_key` the folded name; `name_parts` its words in any order; `first_part` họ; `last_part` tên;
`birth_date` of full precision; `commune` of the permanent address, read as of a date.
"""

Evidence = Literal["name", "date", "commune", "shared", "exact"]
"""How an attribute is compared.

`name`: as stated, folded, in another order, one letter off; a rare name weighs more.
`date`: the day, day and month swapped, only the year known or 1 January, the same year.
`commune`: the same commune, or one that became the other (Nghị quyết 202/2025/QH15).
`shared`: also stated by another record of the person's; `exact`: equal.
"""

STATED_BY_OTHERS: frozenset[str] = frozenset({"phone", "tax_code"})
"""Blocking keys that the register does not state; a person's come from their linked records."""


class ModelRules(Section):
    """The rules of a trained model: what it compares, and the thresholds of its results.

    Attributes:
        link: a record is linked from this probability on, unless another person reaches `case`.
        case: a clerk is asked from this probability on.
        max_block_size: a blocking key that more people share finds nobody; as of the model's training.
        blocking: a person is compared when they share all keys of one of these lists.
        compare: attribute -> how it is compared.
    """

    link: Annotated[float, Field(gt=0.5, lt=1)]
    case: Annotated[float, Field(gt=0, lt=1)]
    max_block_size: Annotated[int, Field(ge=1)] = 200
    blocking: Annotated[
        tuple[Annotated[tuple[BlockingKey, ...], Field(min_length=1)], ...], Field(min_length=1)
    ]
    compare: Annotated[dict[str, Evidence], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> ModelRules:
        if self.case >= self.link:
            raise ValueError("case must be below link: a clerk is asked between the two")
        for keys in self.blocking:
            if len(keys) > 1 and STATED_BY_OTHERS & set(keys):
                raise ValueError(
                    f"{' and '.join(sorted(STATED_BY_OTHERS & set(keys)))}: stands alone in a list"
                )
        return self

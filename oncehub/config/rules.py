"""`mappings/rules/*.yaml`: how records are linked and compared, and how golden values are chosen."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from oncehub.config.connector import Name
from oncehub.config.documents import Document, Section
from oncehub.config.quantities import Age, Written

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


class IdentifierRule(Section):
    """One way to find the person that a record describes.

    Attributes:
        method: name shown in links, e.g. `personal_id`.
        attribute: the attribute of the record that holds the value.
        scheme: the scheme in `truth.identifier` it is looked up in.
        current: True for identifiers in force, False for former ones, None for either.
        stated_by: the source whose linked records state who bears the identifier; None for the register.
        digits: only values of this length are looked up, if the attribute may hold another number; the
            bearers of the identifier are known through another rule.
    """

    method: Name
    attribute: str
    scheme: Name
    current: bool | None = None
    stated_by: Name | None = None
    digits: Annotated[int, Field(ge=1)] | None = None


NameAgreement = Literal[
    "equal",
    "part",
    "slip",
    "slip_in_given_name",
    "similar_given_name",
    "similar_family_name",
    "slips",
    "other_marks",
    "given_name_alone",
    "no_given_name",
    "other_middle_name",
    "other_family_name",
    "other_given_name",
    "other_name",
    "unstated",
]
"""How a record's name agrees with that of the person whose number it states (`truth.name_agreement`).

`equal` folded, in any order; `part` words left out or initials; `slip` of the pen in a word that is not the
given name (tên); `slip_in_given_name` alone; `similar_given_name` a slip that makes another name, Lan and
Loan; `similar_family_name` Phạm and Phan; `slips` several, or in a given name beside initials or in a foreign
name; `other_marks` Hùng and Hưng; `other_name` given name and another word.
"""

DateAgreement = Literal["equal", "partial", "near", "unstated", "other"]
"""How two birth dates agree (`truth.date_agreement`).

`equal` to the day; `partial` as far as both go, or 1 January; `near` one part or digit, or day and
month swapped; `unstated` by one side, or impossible.
"""


class SamePerson(Section):
    """How birth dates must agree, given how names do, for a record to describe the person with its number.

    Attributes:
        birth_date: each suffices, where the sexes agree or one is not stated.
        another_sex: each suffices although the sexes differ.
    """

    birth_date: Annotated[tuple[DateAgreement, ...], Field(min_length=1)]
    another_sex: tuple[DateAgreement, ...] = ()

    @model_validator(mode="after")
    def _stricter(self) -> SamePerson:
        if surplus := set(self.another_sex) - set(self.birth_date):
            raise ValueError(f"another_sex: {', '.join(sorted(surplus))}: not in birth_date")
        return self


class MatchingRules(Document):
    """`matching.yaml`: the register, the identifiers in order of trust, and the matching model.

    Identifiers that another source states (`stated_by`) follow those of the register, by which that source's
    own records are linked. `same_person` says when such a record describes the person; it is a case of kind
    `wrong_person` otherwise. Without `model`, records that no identifier links stay unlinked.
    """

    # `register` is also a method of every pydantic model (from ABCMeta), which a field may not hide.
    register_source: Annotated[Name, Field(alias="register")]
    identifiers: Annotated[tuple[IdentifierRule, ...], Field(min_length=1)]
    same_person: Annotated[dict[NameAgreement, SamePerson], Field(min_length=1)]
    model: ModelRules | None = None

    @model_validator(mode="after")
    def _ordered(self) -> MatchingRules:
        methods = [rule.method for rule in self.identifiers]
        if len(set(methods)) < len(methods):
            raise ValueError("every identifier needs a method of its own")
        borrowed = [rule.stated_by is not None for rule in self.identifiers]
        if borrowed != sorted(borrowed):
            raise ValueError("identifiers with stated_by come after those of the register")
        if {rule.scheme for rule in self.identifiers if rule.stated_by} & {
            rule.scheme for rule in self.identifiers if not rule.stated_by
        }:
            raise ValueError("the register and another source cannot both state one scheme")
        return self


class ComparisonRule(Section):
    """How a source value is compared with the golden value.

    Attributes:
        compare: `exact`; `folded` (case, accents, tone placement, spaces aside); `name` (folded, word
            breaks aside); `partial_date` (the less precise must agree with the more precise); `address`
            (communes of two catalogues agree when one became the other); `identifier` (a number that the
            person bore before is stale); `life_status` (the source has a deceased person as alive).
        changes: `never`: a difference is a conflict; `in_life`: a difference stated before the golden value
            is stale.
        form: a value that agrees is reported when it is written in another form: other letters or case, a
            less precise date, the code of a former commune.
        required_of: sources whose records must have a value when there is a golden value.
        valid: a differing value that cannot be true of the person is `invalid`: `personal_id` (its
            structure, Thông tư 59/2021/TT-BCA Điều 4), `birth_date` (in a year after the statement, or
            more than 130 years before it).
    """

    compare: Literal["exact", "folded", "name", "partial_date", "address", "identifier", "life_status"]
    changes: Literal["never", "in_life"] = "never"
    form: bool = False
    required_of: tuple[Name, ...] = ()
    valid: Literal["personal_id", "birth_date"] | None = None

    @model_validator(mode="after")
    def _has_forms(self) -> ComparisonRule:
        if self.form and self.compare in {"exact", "identifier", "life_status"}:
            raise ValueError(f"compared {self.compare}, a value has one form only; leave form out")
        return self


DiscrepancyKind = Literal[
    "conflict", "stale", "form", "missing", "wrong_person", "deceased", "duplicate", "invalid"
]
Severity = Literal["low", "medium", "high"]


class SeverityRule(Section):
    """The severity of discrepancies of a kind, by age.

    Attributes:
        kind: the kind of discrepancy.
        attribute: the attribute; None for all attributes without a rule of their own.
        opens: the severity it opens with.
        medium_after: the age at which it is at least `medium`.
        high_after: the age at which it is `high`.
    """

    kind: DiscrepancyKind
    attribute: str | None = None
    opens: Severity
    medium_after: Age | None = None
    high_after: Age | None = None

    @model_validator(mode="after")
    def _rises(self) -> SeverityRule:
        if self.opens == "high" and (self.medium_after or self.high_after):
            raise ValueError("severity cannot rise above high; leave medium_after and high_after out")
        if self.opens == "medium" and self.medium_after:
            raise ValueError("severity that opens medium can only rise to high; leave medium_after out")
        if self.medium_after and self.high_after and self.medium_after >= self.high_after:
            raise ValueError("high_after must be longer than medium_after")
        return self


StreamName = Annotated[
    str, Written(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", "write source.stream, such as tax.registrations")
]


class ComparisonRules(Document):
    """`comparison.yaml`: attributes not named here are not compared.

    Attributes:
        attributes: how each is compared.
        one_record_a_person: stream -> the attribute under which a second record of a person is reported.
        severity: a rule for every kind, and for attributes of another importance.
    """

    attributes: dict[str, ComparisonRule]
    one_record_a_person: Annotated[dict[StreamName, str], Field(default_factory=dict)]
    severity: tuple[SeverityRule, ...]

    @model_validator(mode="after")
    def _covers_every_kind(self) -> ComparisonRules:
        named = [(rule.kind, rule.attribute) for rule in self.severity]
        if len(set(named)) < len(named):
            raise ValueError("severity: two rules for one kind and attribute; keep one")
        if absent := [kind for kind in get_args(DiscrepancyKind) if (kind, None) not in named]:
            raise ValueError(
                f"severity: no rule without an attribute for {', '.join(absent)}; add one for each"
            )
        return self


Share = Annotated[float, Field(gt=0, le=1)]
"""Above 0, at most 1."""


class SurvivorshipRule(Section):
    """How a golden value is chosen: an authority's value, or the weightiest of several sources.

    A statement weighs `trust * 0.5 ^ (age / half_life)`, times `doubtful` if its record is doubtful (see
    `Doubts`). Of equal weights, the more recent statement wins, then the source named first.

    Attributes:
        authority: this source alone; of several records, the most recent.
        trust: source -> how far it is trusted, above 0 to 1.
        half_life: the age at which a statement weighs half.
        doubtful: the factor of a doubtful statement, above 0 to 1.
    """

    authority: Name | None = None
    trust: Annotated[dict[Name, Share], Field(min_length=1)] | None = None
    half_life: Age | None = None
    doubtful: Share = 1.0

    @model_validator(mode="after")
    def _one(self) -> SurvivorshipRule:
        if (self.authority is None) == (self.trust is None):
            raise ValueError("give either authority, or trust by source with a half_life")
        if (self.trust is None) != (self.half_life is None):
            raise ValueError("trust by source needs a half_life, such as 3y, and authority has none")
        if self.authority and self.doubtful < 1:
            raise ValueError("an authority's statements have no weight; leave doubtful out")
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The trusted sources, in the order that decides between equal weights."""
        return tuple(self.trust) if self.trust else ((self.authority,) if self.authority else ())

    @property
    def kind(self) -> Literal["authority", "trust"]:
        """The rule's name in the provenance of a golden value."""
        return "trust" if self.trust else "authority"


class Doubts(Section):
    """What makes every statement of a record doubtful.

    Attributes:
        linked_by: methods of linking that are less certain than others.
        personal_id: the structure of the personal number does not fit the birth year and sex stated beside
            it (Thông tư 59/2021/TT-BCA Điều 4).
    """

    linked_by: tuple[Name, ...] = ()
    personal_id: bool = False


class SurvivorshipRules(Document):
    """`survivorship.yaml`: a rule for every attribute of the person.

    Attributes:
        doubts: what makes a statement doubtful.
        lifelong: attributes that do not change in life: a later value corrects the earlier one, which was
            never true. Any other value is true from the day on which it was stated.
        attributes: how each golden value is chosen.
    """

    doubts: Doubts = Doubts()
    lifelong: tuple[str, ...] = ()
    attributes: dict[str, SurvivorshipRule]


CaseKind = Literal["wrong_person", "possible_match", "contested_identifier", "correction_request"]


class CaseRule(Section):
    """Who decides cases of a kind.

    Attributes:
        four_eyes: a decision has no effect until another clerk has confirmed it.
    """

    four_eyes: bool = False


class CaseRules(Document):
    """`cases.yaml`: a rule for every kind of case."""

    kinds: dict[CaseKind, CaseRule]

    @model_validator(mode="after")
    def _covers_every_kind(self) -> CaseRules:
        if absent := [kind for kind in get_args(CaseKind) if kind not in self.kinds]:
            raise ValueError(f"kinds: no rule for {', '.join(absent)}; add one for each")
        return self

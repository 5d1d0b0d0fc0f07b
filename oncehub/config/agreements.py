"""`mappings/agreements/*.yaml`: who may see what."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, StringConstraints, model_validator

from oncehub.config.connector import Name
from oncehub.config.documents import Document, Section
from oncehub.config.rules import CaseKind

AttributeName = Annotated[str, StringConstraints(pattern=r"^[a-z_]+\.[a-z0-9_]+$")]
"""`entity.attribute`, e.g. `person.full_name`."""

AgreementName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,40}$")]

ProcedureId = Annotated[str, StringConstraints(pattern=r"^([0-9]\.[0-9]{6}|dvctt-[0-9]{2})$")]
"""Mã thủ tục hành chính as the National Public Service Portal publishes it, e.g. `1.004222`; of an essential
service whose code is not known `dvctt-` and its number, e.g. `dvctt-07`."""


StreamName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}\.[a-z][a-z0-9_]{0,30}$")]
"""`source.stream`, e.g. `portal.submissions`."""

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
ProvinceCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{2}$")]
CommuneCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$")]

REFORMED = date(2025, 7, 1)
"""First day of the catalogue of 34 provinces and 3,321 communes (Nghị quyết 202/2025/QH15)."""


class LegalBasis(Section):
    """A legal text and the days it is in force (both inclusive)."""

    text: str
    article: str | None = None
    since: date = Field(alias="from")
    until: date | None = None

    def in_force(self, day: date) -> bool:
        """Tell whether the text is in force on `day`."""
        return self.since <= day and (self.until is None or day <= self.until)


class Agency(Section):
    """An agency, or another body, by its identifier (Quyết định 20/2020/QĐ-TTg).

    An enterprise's is its enterprise number (mã số doanh nghiệp), which is its tax code.

    Attributes:
        kind: `state` agencies are served by right of law; `private` parties only with the citizen's consent.
    """

    id: Annotated[str, StringConstraints(pattern=r"^([A-Z]\d{2}(\.\d{1,3})*|\d{10})$")]
    name: str
    kind: Literal["state", "private"] = "private"


class Validity(Section):
    """The days an agreement holds, both inclusive."""

    since: date = Field(alias="from")
    until: date

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.until < self.since:
            raise ValueError("until lies before from")
        return self


class Condition(Section):
    """What an attribute must be; what is not held, or cannot be placed for certain, fulfils none.

    Attributes:
        one_of: a code: one of these.
        province: an address: in one of these, by their 2-digit codes.
        commune: an address: in one of these, by their 5-digit codes.
        edition: first day of the catalogue of administrative units that the codes are read in; an address
            coded by another catalogue is followed through the reform.
    """

    one_of: Annotated[tuple[Code, ...], Field(min_length=1)] | None = None
    province: Annotated[tuple[ProvinceCode, ...], Field(min_length=1)] | None = None
    commune: Annotated[tuple[CommuneCode, ...], Field(min_length=1)] | None = None
    edition: date = REFORMED

    @model_validator(mode="after")
    def _one(self) -> Condition:
        if sum(given is not None for given in (self.one_of, self.province, self.commune)) != 1:
            raise ValueError("give exactly one of one_of, province and commune")
        return self


class RateLimits(Section):
    """How often the agency may ask."""

    per_second: Annotated[int, Field(ge=1)]
    per_day: Annotated[int, Field(ge=1)]


class Corrections(Section):
    """Correction notices: the agency is told where records of its own source differ from what is believed.

    Attributes:
        source: whose records; the agency's own system, named as its connector is.
        without_value: attributes beyond the agreement's, of which it is told that its record differs, and
            not what is believed.
        legal_basis: of telling them; the agreement's where absent.
    """

    source: Name
    without_value: tuple[AttributeName, ...] = ()
    legal_basis: LegalBasis | None = None


class Cases(Section):
    """Cases that the agency's officers see and decide, with values of the agreement's attributes.

    Attributes:
        kinds: which kinds.
        sources: of these sources' records only; of all where absent.
    """

    kinds: Annotated[tuple[CaseKind, ...], Field(min_length=1)]
    sources: tuple[Name, ...] | None = None


KeyThumbprint = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$")]
"""A public key's thumbprint (RFC 7638, SHA-256), as `oncehub client thumbprint` prints it."""


class CitizenView(Section):
    """What a portal may open to citizens whom it has authenticated, each about themselves only.

    Attributes:
        usage: they see who looked at their data.
        corrections: attributes of which they may say that what is believed is wrong; of the agreement's.
    """

    usage: bool = False
    corrections: tuple[AttributeName, ...] = ()


class Agreement(Document):
    """What one agency may see, for which purpose, on which legal basis, until when.

    Attributes:
        name: equals the file's name; tokens are bound to it.
        feed: name of the change stream it entitles to; absent when it entitles to none.
        attributes: what may leave the hub; everything else is refused.
        search_by: attributes that may be used to find a person.
        relatives: whose items forms may hold beside the person's own, as attributes that name somebody
            (`father`), or `household_members`; of them no more than `attributes`.
        papers: forms may name earlier papers of the person that spare new ones.
        corrections: the source whose correction notices it entitles to; values within `attributes`.
        cases: what its officers decide; nothing where absent.
        implied: attributes that do not leave themselves, of which those that do tell a part; see
            `mappings/rules/reveals.yaml`.
        consent: `required`: only of people who have consented to it, and only what they have consented to.
        population: of whom alone it may ask: every condition holds; everybody where empty.
        records_consent_for: agreements to which its clients may record that citizens consent.
        keys: the only keys that its clients may use; where absent, any that is registered for them.
        citizen_view: what citizens may see and ask for through it; nothing where absent.
        hidden_from_citizen: the text by which its look-ups are kept from the citizens' view, and the days on
            which they are; absent where nothing is.
        submissions: `source.stream`, which takes what citizens confirm and give on forms.
    """

    name: AgreementName
    agency: Agency
    purpose: Annotated[str, StringConstraints(pattern=r"^dpv:[A-Za-z]+$")]
    legal_basis: LegalBasis
    procedures: tuple[ProcedureId, ...] = ()
    attributes: Annotated[tuple[AttributeName, ...], Field(min_length=1)]
    search_by: Annotated[tuple[AttributeName, ...], Field(min_length=1)]
    relatives: tuple[Name, ...] = ()
    papers: bool = False
    feed: Name | None = None
    corrections: Corrections | None = None
    cases: Cases | None = None
    implied: tuple[AttributeName, ...] = ()
    consent: Literal["required", "not_required"] = "required"
    population: Annotated[dict[AttributeName, Condition], Field(default_factory=dict)]
    records_consent_for: tuple[AgreementName, ...] = ()
    keys: Annotated[tuple[KeyThumbprint, ...], Field(min_length=1)] | None = None
    citizen_view: CitizenView | None = None
    hidden_from_citizen: LegalBasis | None = None
    limits: RateLimits
    valid: Validity
    submissions: StreamName | None = None
    _places: dict[str, tuple[str, ...]] = PrivateAttr(default_factory=dict)

    @property
    def needs_consent(self) -> bool:
        """Tell whether only people who have consented may be asked about."""
        return self.consent == "required" or self.agency.kind == "private"

    @property
    def places(self) -> dict[str, tuple[str, ...]]:
        """Of every condition on an address, the communes that fulfil it, each `<edition>/<code>`."""
        return self._places

    def place(self, places: dict[str, tuple[str, ...]]) -> None:
        """Set `places`, which follow from the catalogues of administrative units."""
        self._places = places

    def in_force(self, day: date) -> bool:
        """Tell whether both the agreement and its legal basis hold on `day`."""
        return self.valid.since <= day <= self.valid.until and self.legal_basis.in_force(day)

    def admits(self, thumbprint: str) -> bool:
        """Tell whether its clients may use the key of that thumbprint."""
        return self.keys is None or thumbprint in self.keys

    def hides(self, day: date) -> LegalBasis | None:
        """Return the text that keeps what is asked under it from citizens on `day`."""
        basis = self.hidden_from_citizen
        return basis if basis and basis.in_force(day) else None

    def noticed(self) -> tuple[AttributeName, ...]:
        """Return the attributes that correction notices may be about, with their value or without."""
        return (*self.attributes, *(self.corrections.without_value if self.corrections else ()))

    def corrects(self, day: date) -> bool:
        """Tell whether it entitles to correction notices on `day`."""
        if self.corrections is None or not self.in_force(day):
            return False
        basis = self.corrections.legal_basis
        return basis is None or basis.in_force(day)

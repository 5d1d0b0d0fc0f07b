"""`mappings/agreements/*.yaml`: the data that each agency may obtain, and on what legal basis."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, StringConstraints, model_validator

from oncehub.config.administrative_units import REFORM
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


class LegalBasis(Section):
    """A legal text and the days it is in force (both inclusive)."""

    text: str
    article: str | None = None
    since: date = Field(alias="from")
    until: date | None = None

    def in_force(self, day: date) -> bool:
        """Tell whether the text is in force on `day`."""
        return self.since <= day and (self.until is None or day <= self.until)


AgencyId = Annotated[str, StringConstraints(pattern=r"^([A-Z]\d{2}(\.\d{1,3})*|\d{10})$")]


class Agency(Section):
    """An agency by its identifier (Quyết định 20/2020/QĐ-TTg), or an enterprise by its enterprise number.

    The enterprise number (mã số doanh nghiệp) is the enterprise's tax code.

    Attributes:
        kind: a `state` agency obtains data on a legal basis, a `private` party only with consent.
    """

    id: AgencyId
    name: str
    kind: Literal["state", "private"] = "private"


class Validity(Section):
    """The first and last day on which an agreement is valid."""

    since: date = Field(alias="from")
    until: date

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.until < self.since:
            raise ValueError("until lies before from")
        return self


class Condition(Section):
    """A condition on an attribute; an absent value, or an address of an uncertain commune, never meets it.

    Attributes:
        one_of: the allowed codes of a coded attribute.
        province: the provinces in which an address may be, by 2-digit code.
        commune: the communes in which an address may be, by 5-digit code.
        edition: first day of the catalogue of administrative units that defines the codes; an address in the
            codes of another catalogue is converted.
    """

    one_of: Annotated[tuple[Code, ...], Field(min_length=1)] | None = None
    province: Annotated[tuple[ProvinceCode, ...], Field(min_length=1)] | None = None
    commune: Annotated[tuple[CommuneCode, ...], Field(min_length=1)] | None = None
    edition: date = date.fromisoformat(REFORM)

    @model_validator(mode="after")
    def _one(self) -> Condition:
        if sum(given is not None for given in (self.one_of, self.province, self.commune)) != 1:
            raise ValueError("give exactly one of one_of, province and commune")
        return self


class RateLimits(Section):
    """The most requests of an agency, by second and by day, on all servers together.

    Attributes:
        client_per_second: of one client; where absent, four fifths of `per_second` where the agreement has
            several clients, so that no client takes all.
        client_per_day: likewise of `per_day`.
    """

    per_second: Annotated[int, Field(ge=1)]
    per_day: Annotated[int, Field(ge=1)]
    client_per_second: Annotated[int, Field(ge=1)] | None = None
    client_per_day: Annotated[int, Field(ge=1)] | None = None

    def of_client(self, *, alone: bool) -> tuple[int, int]:
        """Return the most requests of one client, by second and by day.

        Args:
            alone: whether the agreement has no other client.
        """
        fifths = 5 if alone else 4
        return (
            self.client_per_second or max(1, self.per_second * fifths // 5),
            self.client_per_day or max(1, self.per_day * fifths // 5),
        )


class Corrections(Section):
    """Correction notices: the agency learns which records of its own source differ from golden values.

    Attributes:
        source: the agency's own system, by the name of its connector.
        without_value: further attributes; their notices say that the record differs, without the golden
            value.
        legal_basis: of sending the notices; the agreement's where absent.
    """

    source: Name
    without_value: tuple[AttributeName, ...] = ()
    legal_basis: LegalBasis | None = None


class Cases(Section):
    """Cases that the agency's officers see and decide, with values of the agreement's attributes.

    Attributes:
        kinds: the kinds of cases.
        sources: only cases about records of these sources; of all sources where absent.
    """

    kinds: Annotated[tuple[CaseKind, ...], Field(min_length=1)]
    sources: tuple[Name, ...] | None = None


KeyThumbprint = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$")]
"""A public key's thumbprint (RFC 7638, SHA-256), as `oncehub client thumbprint` prints it."""


class CitizenView(Section):
    """What authenticated citizens may see and request about themselves through a portal.

    Attributes:
        usage: they see which agencies used their data.
        corrections: attributes of the agreement whose golden value they may request to be corrected.
    """

    usage: bool = False
    corrections: tuple[AttributeName, ...] = ()


CitizenAction = Literal["consent", "correction_request", "submission", "usage"]
"""What a citizen does through an agency's portal, as the access log names it."""


class Citizens(Section):
    """Actions of citizens for which no identity provider need prove them; all others need its evidence.

    Attributes:
        claimed: the client's word is enough.
        at_counter: a proven officer may vouch for a citizen who is present without electronic identity.
    """

    claimed: tuple[CitizenAction, ...] = ()
    at_counter: tuple[CitizenAction, ...] = ()


class Agreement(Document):
    """The data that one agency may obtain, the purpose, the legal basis and the validity.

    Attributes:
        name: equals the file's name; tokens are bound to it.
        feed: name of the feed of changes that the agency receives, if any.
        attributes: the attributes that the agency may obtain; requests for others are refused.
        search_by: attributes that may be used to find a person.
        relatives: relatives whose items forms may contain, as attributes that name a person (`father`), or
            `household_members`; of a relative, too, only `attributes` are filled.
        papers: forms may name earlier papers of the person that replace new ones.
        corrections: the source whose correction notices the agency receives, with values of `attributes`.
        cases: the cases that its officers decide, if any.
        implied: attributes that the agency does not obtain, but can infer in part from those it obtains; see
            `mappings/rules/reveals.yaml`.
        consent: `required`: only people who have consented, and only the attributes they have consented to.
        population: the people about whom the agency may ask: those who meet every condition; all if empty.
        records_consent_for: agreements for which its clients may record the consent of citizens.
        keys: the only keys that its clients may use; where absent, any that is registered for them.
        citizen_view: what citizens may see and request through the agency's portal, if anything.
        hidden_from_citizen: the legal text that hides the agency's requests from citizens, and the days on
            which it does; absent where no text does.
        submissions: `source.stream`, which receives what citizens confirm and give on forms.
        citizens: for which actions citizens need not be proven by an identity provider's evidence.
        officers: `proven`: an officer acts only where an identity provider proves them; `claimed`: the
            client's word is enough, and the access log says so.
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
    citizens: Citizens = Citizens()
    officers: Literal["claimed", "proven"] = "claimed"
    _places: dict[str, tuple[str, ...]] = PrivateAttr(default_factory=dict)

    @property
    def needs_consent(self) -> bool:
        """Tell whether the agency may ask only about people who have consented."""
        return self.consent == "required" or self.agency.kind == "private"

    @property
    def places(self) -> dict[str, tuple[str, ...]]:
        """The communes that meet each condition on an address, each `<edition>/<code>`."""
        return self._places

    def place(self, places: dict[str, tuple[str, ...]]) -> None:
        """Set `places`, which are read from the catalogues of administrative units."""
        self._places = places

    def in_force(self, day: date) -> bool:
        """Tell whether both the agreement and its legal basis are in force on `day`."""
        return self.valid.since <= day <= self.valid.until and self.legal_basis.in_force(day)

    def admits(self, thumbprint: str) -> bool:
        """Tell whether its clients may use the key of that thumbprint."""
        return self.keys is None or thumbprint in self.keys

    def hides(self, day: date) -> LegalBasis | None:
        """Return the legal text, if any, that hides the agency's requests from citizens on `day`."""
        basis = self.hidden_from_citizen
        return basis if basis and basis.in_force(day) else None

    def citizen_actions(self) -> set[CitizenAction]:
        """Return what citizens may do through the agency."""
        view = self.citizen_view or CitizenView()
        opened: dict[CitizenAction, bool] = {
            "consent": bool(self.records_consent_for),
            "correction_request": bool(view.corrections),
            "submission": self.submissions is not None,
            "usage": view.usage,
        }
        return {action for action, is_open in opened.items() if is_open}

    def noticed(self) -> tuple[AttributeName, ...]:
        """Return the attributes that correction notices may be about, with their value or without."""
        return (*self.attributes, *(self.corrections.without_value if self.corrections else ()))

    def corrects(self, day: date) -> bool:
        """Tell whether the agency receives correction notices on `day`."""
        if self.corrections is None or not self.in_force(day):
            return False
        basis = self.corrections.legal_basis
        return basis is None or basis.in_force(day)

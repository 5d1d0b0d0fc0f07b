"""One question under an agreement: whatever becomes of it is logged in the transaction that answers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from oncehub.api.auth.tokens import Caller, admission, check_admission
from oncehub.api.core.hub import Hub
from oncehub.audit.log.entries import Action, Entry, Involvement, Outcome, write
from oncehub.audit.log.pages import Page
from oncehub.audit.log.pseudonyms import person_pseudonym
from oncehub.config.agreements import Agreement, LegalBasis
from oncehub.encryption.field_values import decrypting
from oncehub.errors import (
    AccessDenied,
    CaseNotFound,
    ConsentNotFound,
    ConsentRefused,
    CorrectionRefused,
    DecisionRefused,
    NotFetched,
    OncehubError,
    PersonNotFound,
    PersonNotLiving,
    SubmissionInvalid,
    SubmissionRefused,
    TooManyRequests,
)
from oncehub.share.agreements.permissions import require_in_force, today
from oncehub.share.forms.prefill import FormRequest, find_for_form, require_living
from oncehub.share.people.lookup import Person, Withheld, WithheldBecause, find_person
from oncehub.share.people.relatives import LIFE_STATUS
from oncehub.store.connection import Connection

_LOGGED = (
    AccessDenied,
    PersonNotFound,
    PersonNotLiving,
    NotFetched,
    CaseNotFound,
    DecisionRefused,
    ConsentNotFound,
    ConsentRefused,
    CorrectionRefused,
    TooManyRequests,
    SubmissionInvalid,
    SubmissionRefused,
)


@dataclass
class Inquiry:
    """A question being answered; the endpoint notes what the log must hold.

    Attributes:
        connection: the transaction that reads and logs.
        agreement: the caller's, in force.
        request_id: what the caller may quote to have the answer found in the log.
        procedure: code of a known procedure that was asked for.
        person_key: whose data was found: it was asked about them.
        attributes: what was asked for, then what leaves.
        legal_basis: by what right; the agreement's own unless the endpoint states another.
        relatives: whose data was read beside the person's -> what left of it: each gets a line of the log.
        appeared: whose data was seen though it was not asked about them, as in a case: each gets a line of
            the log, told apart from the one about `person_key`, as relatives' are.
        page: what is given out of a feed; who stands in it gets no line.
        case_id: the case that was asked for, and `decision_id` what was decided on it.
        withheld: why somebody who was found was answered about as nobody is.
    """

    connection: Connection
    caller: Caller
    agreement: Agreement
    request_id: UUID
    action: Action
    procedure: str | None = None
    person_key: str | None = None
    attributes: tuple[str, ...] = ()
    legal_basis: LegalBasis | None = None
    relatives: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    appeared: tuple[str, ...] = ()
    page: Page | None = None
    case_id: int | None = None
    decision_id: int | None = None
    withheld: WithheldBecause | None = None

    def found(self, sought: Person | Withheld | None) -> Person:
        """Return the person that was found, and note them for the log.

        Raises:
            PersonNotFound: also of somebody of whom nothing may be told: only the log knows the difference.
        """
        self.person_key = sought.key if sought else None
        if isinstance(sought, Person):
            return sought
        self.withheld = sought.why if sought else None
        raise PersonNotFound(nobody(self.agreement))

    def find(self, search: Mapping[str, str]) -> Person:
        """Find whom it is asked about, of whom no value is needed; see `found`."""
        wanted = self.agreement.attributes[:1]
        return self.found(find_person(self.connection, self.agreement, search, wanted))

    def find_living(self, wanted: FormRequest, search: Mapping[str, str]) -> Person:
        """Find whose form it is, with what it may hold; see `found`.

        Raises:
            PersonNotFound: likewise.
            PersonNotLiving: when the person is believed deceased or missing.
        """
        person = self.found(find_for_form(self.connection, wanted, search))
        # A refusal for it tells it, so the log must.
        self.attributes = (LIFE_STATUS,)
        require_living(person)
        return person


def nobody(agreement: Agreement) -> str:
    """Say that nobody was found, by the agreement alone: not whether somebody is there."""
    among = " among those whom the agreement covers" if agreement.population else ""
    consent = "; or no consent of theirs covers what was asked for" if agreement.needs_consent else ""
    return f"no person, or more than one, fits the search{among}{consent}"


@contextmanager
def inquiry(
    hub: Hub,
    caller: Caller,
    request_id: UUID,
    action: Action,
    *,
    procedure: str | None = None,
    attributes: tuple[str, ...] = (),
) -> Iterator[Inquiry]:
    """Open a question; at its end, answered or refused, one `audit.entry` is committed with what it read.

    An answer made inside leaves only after that: when the entry cannot be written, the error comes instead.

    Raises:
        NotAuthenticated: when the client is no longer admitted.
        TooManyRequests: when the agreement's limit is reached.
        LogUnsealed: when what was logged has gone unsealed for too long.
        AccessDenied, PersonNotFound, PersonNotLiving, NotFetched, CaseNotFound, DecisionRefused,
            ConsentNotFound, ConsentRefused, SubmissionInvalid, SubmissionRefused: what ended it, after it was
            logged.
    """
    agreement = hub.agreement(caller.agreement)
    hub.per_second.take(agreement)
    ended: OncehubError | None = None
    with hub.database.begun_by(admission(caller)) as (connection, admitted):
        check_admission(caller, admitted)
        hub.per_day.take(connection, agreement)
        hub.sealing.require_sealed(connection)
        asked = Inquiry(connection, caller, agreement, request_id, action, procedure, attributes=attributes)
        try:
            require_in_force(agreement, today())
            with decrypting(hub.home):
                yield asked
        except _LOGGED as error:
            ended = error
        write(connection, *(_entry(hub, asked, ended, each) for each in _involved(asked)), commit=True)
    if ended:
        raise ended


class _Involved(NamedTuple):
    person_key: str | None
    involvement: Involvement | None
    attributes: tuple[str, ...]


def _involved(asked: Inquiry) -> Iterator[_Involved]:
    """Yield whom a line of the log is to name, how and with what; nobody when nobody was found."""
    appeared = [key for key in dict.fromkeys(asked.appeared) if key != asked.person_key]
    if asked.person_key:
        yield _Involved(asked.person_key, "consulted", asked.attributes)
    elif not appeared:
        yield _Involved(None, None, asked.attributes)
    for key in appeared:
        yield _Involved(key, "appeared", asked.attributes)
    for key, released in asked.relatives.items():
        yield _Involved(key, "appeared", released)


def _entry(hub: Hub, asked: Inquiry, ended: OncehubError | None, involved: _Involved) -> Entry:
    agreement = asked.agreement
    hidden = agreement.hides(today())
    return Entry(
        client_id=asked.caller.client_id,
        agency=agreement.agency.id,
        agreement=agreement.name,
        purpose=agreement.purpose,
        legal_basis=_cited(asked.legal_basis or agreement.legal_basis),
        action=asked.action,
        procedure=asked.procedure,
        person=involved.person_key and person_pseudonym(hub.pseudonym_key, involved.person_key),
        attributes=involved.attributes,
        refused=ended.refused if isinstance(ended, AccessDenied) else (),
        outcome="refused" if asked.withheld else _outcome(ended),
        request_id=asked.request_id,
        officer=asked.caller.officer,
        case_id=asked.case_id,
        decision_id=asked.decision_id,
        involvement=involved.involvement,
        page=asked.page,
        hidden_by=_cited(hidden) if hidden else None,
        withheld=asked.withheld,
    )


def _cited(basis: LegalBasis) -> str:
    return f"{basis.text}, {basis.article}" if basis.article else basis.text


def _outcome(ended: OncehubError | None) -> Outcome:
    if ended is None:
        return "answered"
    return "not_found" if isinstance(ended, PersonNotFound | CaseNotFound | ConsentNotFound) else "refused"

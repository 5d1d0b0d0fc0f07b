"""A request and its caller: nothing is read without a line of the log, and every outcome is logged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated, NamedTuple
from uuid import UUID

import psycopg2
from fastapi import Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from oncehub.api.auth.tokens import (
    Caller,
    admission,
    check_admission,
    check_officer,
    check_pinned,
    claimed_client,
)
from oncehub.api.core.hub import Hub, TheHub
from oncehub.api.http.problems import answer_error
from oncehub.audit.log.entries import Action, Entry, Involvement, Outcome, Page, VouchedBy
from oncehub.audit.log.pseudonyms import person_pseudonym
from oncehub.config.agreements import Agreement, LegalBasis
from oncehub.encryption.field_values import decrypting
from oncehub.errors import (
    AccessDenied,
    CaseNotFound,
    ConsentNotFound,
    NotAuthenticated,
    PersonNotFound,
    Refusal,
    StoreError,
    TooManyRequests,
)
from oncehub.share.access.entitlements import cited
from oncehub.share.agreements.permissions import require_in_force, today
from oncehub.share.forms.prefill import FormRequest, question_for_form, require_living
from oncehub.share.people.lookup import (
    Asked,
    Opened,
    Person,
    Question,
    Withheld,
    WithheldBecause,
    open_request,
)
from oncehub.share.people.relatives import LIFE_STATUS
from oncehub.share.request_proofs import ProofKeys, proving, write_proven
from oncehub.store.connection import Connection

bearer = HTTPBearer(
    scheme_name="bearer",
    bearerFormat="JWT",
    description="A token from `POST /v1/token`: bound to the client, its key, its agreement and the officer.",
    auto_error=False,
)


# Dependencies that wait for nothing: as coroutines they need no thread of their own.
async def caller_of(
    request: Request,
    hub: TheHub,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Caller:
    """Return who sends a request, by its token.

    Raises:
        NotAuthenticated: without a token that holds, or the agreement does not take its key or officer.
    """
    if credentials is None:
        raise NotAuthenticated("send a bearer token from POST /v1/token")
    try:
        caller = hub.verified.caller(credentials.credentials)
    except NotAuthenticated:
        request.state.claimed = claimed_client(credentials.credentials)
        raise
    request.state.caller = caller
    check_pinned(caller, hub.agreement(caller.agreement))
    check_officer(caller, hub.agreement(caller.agreement))
    return caller


def refuse_unauthenticated(request: Request, error: Exception) -> Response:
    """Answer a request that failed to authenticate: 401, or 429 where too many did before it."""
    hub: Hub = request.app.state.hub
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is not None:
        request.state.claimed = caller.client_id
    try:
        hub.failures.count(request.state.source, getattr(request.state, "claimed", None))
    except TooManyRequests as refusal:
        return answer_error(request, refusal)
    except (StoreError, psycopg2.Error):
        # Without the database nothing is limited, and nothing is disclosed.
        pass
    return answer_error(request, error)


async def _request_id(request: Request) -> UUID:
    request_id: UUID = request.state.request_id
    return request_id


TheCaller = Annotated[Caller, Depends(caller_of)]
RequestId = Annotated[UUID, Depends(_request_id)]


@dataclass
class AuditedRequest:
    """A request being answered; the route sets what the access log must hold.

    Attributes:
        connection: in the transaction that reads and logs.
        agreement: of the caller; it is in force.
        request_id: the caller can quote it to refer to this entry of the log.
        procedure: code of the requested procedure, if it is a known one.
        person_key: the person whom the request is about, once found.
        attributes: the requested attributes, then those that the answer discloses.
        legal_basis: the agreement's own unless the route sets another.
        relatives: key of each relative whose data was read -> attributes disclosed; each gets an entry.
        appeared: keys of other people whose data the answer shows, as in a case; each gets an entry of its
            own, marked `appeared` as those of relatives are.
        page: the page of a feed that is given out; the people in it get no entries.
        case_id: the requested case, and `decision_id` the decision made on it.
        withheld: why a person who was found is answered as not found.
        vouched_by: who vouches for the officer or citizen who acts, if one is named.
        keys: prove the request to the database.
        steps: how many questions were asked of the database.
    """

    connection: Connection
    caller: Caller
    agreement: Agreement
    request_id: UUID
    action: Action
    keys: ProofKeys
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
    vouched_by: VouchedBy | None = None
    steps: int = 0

    def found(self, sought: Person | Withheld | None) -> Person:
        """Return the person that was found, and set them for the log.

        Raises:
            PersonNotFound: also for a withheld person: only the log records the difference.
        """
        self.person_key = sought.key if sought else None
        if isinstance(sought, Person):
            return sought
        self.withheld = sought.why if sought else None
        raise PersonNotFound(nobody(self.agreement))

    def open(
        self, *, case_id: int | None = None, feed: str | None = None, after: int = 0, lines: int | None = None
    ) -> None:
        """Open the request in the database, about a case or a page of a feed; begins a new transaction."""
        self._open(Question(self.action, case_id=case_id, feed=feed, after=after, lines=lines))

    def find(self, search: Mapping[str, str]) -> Person:
        """Open the request about a person, without reading values; see `found`."""
        opened = self._open(Question(self.action, search, self.agreement.attributes[:1]))
        return self.found(opened.person)

    def open_living(self, wanted: FormRequest, search: Mapping[str, str]) -> Opened:
        """Open the request about the person whose form it is, with what the form may use; see `found`.

        Raises:
            PersonNotFound: as `found`.
            PersonNotLiving: when the person is deceased or missing in the golden record.
        """
        opened = self._open(question_for_form(wanted, self.action, search))
        self.found(opened.person)
        # A refusal discloses the life status, so the log must say so.
        self.attributes = (LIFE_STATUS,)
        require_living(opened)
        return opened

    def _open(self, question: Question) -> Opened:
        self.steps += 1
        return open_request(self.connection, self.agreement, self._asked(replace(question, step=self.steps)))

    def _asked(self, question: Question) -> Asked:
        stated = stated_by(self.caller, self.agreement, self.legal_basis) | {
            "procedure": self.procedure,
            "vouched_by": self.vouched_by,
        }
        return Asked(replace(question, stated=stated), self.request_id, self.keys)


def stated_by(
    caller: Caller, agreement: Agreement, legal_basis: LegalBasis | None = None
) -> dict[str, str | None]:
    """Return what the line of a caller's request holds, whatever is asked."""
    hidden = agreement.hides(today())
    return {
        "client": caller.client_id,
        "officer": caller.officer,
        "legal_basis": cited(legal_basis or agreement.legal_basis),
        "hidden_by": cited(hidden) if hidden else None,
        "vouched_by": vouching(caller),
    }


def nobody(agreement: Agreement) -> str:
    """Return the message for no result; it depends on the agreement only, so it does not reveal a person."""
    among = " among those whom the agreement covers" if agreement.population else ""
    consent = "; or no consent of theirs covers what was asked for" if agreement.needs_consent else ""
    return f"no person, or more than one, fits the search{among}{consent}"


@contextmanager
def audited_request(
    hub: Hub,
    caller: Caller,
    request_id: UUID,
    action: Action,
    *,
    procedure: str | None = None,
    attributes: tuple[str, ...] = (),
) -> Iterator[AuditedRequest]:
    """Open a request; at its end, answered or refused, its entries are committed with what it read.

    The answer is sent only after that: if the entries cannot be written, the request fails.

    Raises:
        NotAuthenticated: when the client is no longer admitted.
        TooManyRequests: when the limit of the agreement or of the client is reached.
        LogUnsigned: when entries have been unsigned for too long.
        Refusal: after it was logged.
    """
    agreement = hub.agreement(caller.agreement)
    refusal: Refusal | None = None
    with hub.database.begun_by(admission(caller)) as (connection, admitted):
        alone = check_admission(caller, admitted)
        hub.limits.take(connection, agreement, caller.client_id, alone=alone)
        hub.checkpoints.require_signed(connection)
        request = AuditedRequest(
            connection,
            caller,
            agreement,
            request_id,
            action,
            hub.proof_keys,
            procedure,
            attributes=attributes,
            vouched_by=vouching(caller),
        )
        try:
            require_in_force(agreement, today())
            with decrypting(hub.home, connection), proving(hub.proof_keys, request_id):
                yield request
        except Refusal as error:
            refusal = error
        outcome: Outcome = "refused" if request.withheld else _outcome(refusal)
        entries = [_entry(hub, request, refusal, outcome, each) for each in _involved(request)]
        write_proven(connection, hub.proof_keys, *entries, commit=True)
    hub.metrics.note_outcome(agreement.name, action, outcome)
    if refusal:
        refusal.logged = True
        raise refusal


def vouching(caller: Caller) -> VouchedBy | None:
    """Return who vouches for the person that the token names; a citizen's evidence comes with the request."""
    if caller.officer is None and caller.citizen is None:
        return None
    return "provider" if caller.officer_proven else "client"


class _Involved(NamedTuple):
    person_key: str | None
    involvement: Involvement | None
    attributes: tuple[str, ...]


def _involved(request: AuditedRequest) -> Iterator[_Involved]:
    """Yield one item for each entry to write; without a person when none was found."""
    appeared = [key for key in dict.fromkeys(request.appeared) if key != request.person_key]
    if request.person_key:
        yield _Involved(request.person_key, "consulted", request.attributes)
    elif not appeared:
        yield _Involved(None, None, request.attributes)
    for key in appeared:
        yield _Involved(key, "appeared", request.attributes)
    for key, released in request.relatives.items():
        yield _Involved(key, "appeared", released)


def _entry(
    hub: Hub, request: AuditedRequest, refusal: Refusal | None, outcome: Outcome, involved: _Involved
) -> Entry:
    agreement = request.agreement
    hidden = agreement.hides(today())
    return Entry(
        client_id=request.caller.client_id,
        agency=agreement.agency.id,
        agreement=agreement.name,
        purpose=agreement.purpose,
        legal_basis=cited(request.legal_basis or agreement.legal_basis),
        action=request.action,
        procedure=request.procedure,
        person=involved.person_key and person_pseudonym(hub.pseudonym_key, involved.person_key),
        attributes=involved.attributes,
        refused=refusal.refused if isinstance(refusal, AccessDenied) else (),
        outcome=outcome,
        request_id=request.request_id,
        officer=request.caller.officer,
        case_id=request.case_id,
        decision_id=request.decision_id,
        involvement=involved.involvement,
        page=request.page,
        hidden_by=cited(hidden) if hidden else None,
        withheld=request.withheld,
        vouched_by=request.vouched_by,
    )


def _outcome(refusal: Refusal | None) -> Outcome:
    if refusal is None:
        return "answered"
    return "not_found" if isinstance(refusal, PersonNotFound | CaseNotFound | ConsentNotFound) else "refused"

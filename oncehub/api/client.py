"""A client of the API for agencies' Python programs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import requests
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, import_key

from oncehub.api.http.oauth import ASSERTION_SECONDS, ASSERTION_TYPE, DEFAULT_ISSUER, ID_TOKEN_TYPE
from oncehub.errors import (
    AccessDenied,
    CaseNotFound,
    ConsentNotFound,
    ConsentRefused,
    CorrectionRefused,
    DecisionRefused,
    EvidenceRefused,
    NotAuthenticated,
    OncehubError,
    OutOfSequence,
    PersonNotFound,
    PersonNotLiving,
    RequestRefused,
    SourceUnavailable,
    SubmissionRefused,
    TooManyRequests,
)
from oncehub.share.identity.nonce import Asked, officer_sign_in

_RENEW_SECONDS = 30

Prove = Callable[[str], str]
"""Takes a nonce; returns an ID token in which an identity provider repeats it."""

_PLAIN: dict[int, type[OncehubError]] = {401: NotAuthenticated, 404: PersonNotFound, 409: PersonNotLiving}


class HubClient:
    """Sends requests to one hub as one client; it fetches and renews tokens automatically.

    Args:
        base_url: the hub's address, e.g. `https://hub.example`.
        client_id: as registered with the hub.
        private_key_pem: Ed25519 or P-256 private key, PKCS #8 PEM.
        session: the requests session to use.
        issuer: the hub's identifier (its `ONCEHUB_ISSUER`).
        timeout: seconds for one answer.
        officer: the person who acts through this client, asserted by the agency; cases need an officer.
        citizen: personal number of the citizen who acts through this client; `usage`, `correct` and
            `correction_requests` concern this citizen only.
        agreement: name of the client's agreement; evidence needs it.
        prove_citizen: takes a nonce, has the citizen's identity provider sign them in with it, and returns
            the ID token; it is called for each request of a citizen. Without it, the citizen is only claimed.
        prove_officer: likewise for the officer, for each token.

    All methods raise:
        NotAuthenticated, AccessDenied (with `refused`), EvidenceRefused (with `check`), PersonNotFound,
        PersonNotLiving, TooManyRequests (with `retry_after`), RequestRefused (an invalid request),
        SourceUnavailable; those about feeds and notices also OutOfSequence, those about cases also
        CaseNotFound and DecisionRefused, `correct` also CorrectionRefused, those about consents also
        ConsentNotFound and ConsentRefused.
    """

    def __init__(
        self,
        base_url: str,
        client_id: str,
        private_key_pem: str | bytes,
        session: requests.Session | None = None,
        *,
        issuer: str = DEFAULT_ISSUER,
        timeout: float = 30,
        officer: str | None = None,
        citizen: str | None = None,
        agreement: str | None = None,
        prove_citizen: Prove | None = None,
        prove_officer: Prove | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._client_id = client_id
        self._key = _private_key(private_key_pem)
        self._session = session or requests.Session()
        self._issuer = issuer
        self._timeout = timeout
        self._officer = officer
        self._citizen = citizen
        if agreement is None and (prove_citizen or prove_officer):
            raise ValueError("name the client's agreement: evidence is bound to it")
        self._agreement = agreement or ""
        self._prove_citizen = prove_citizen
        self._prove_officer = prove_officer
        self._token = ""
        self._renew_at = 0.0

    def lookup(
        self, search: Mapping[str, str], attributes: Sequence[str], purpose: str | None = None
    ) -> dict[str, Any]:
        """Look a person up; returns `{attributes: {name: {value, labels, source, as_of}}, request_id}`."""
        body = {"search": dict(search), "attributes": list(attributes), "purpose": purpose}
        return self._ask("POST", "/v1/persons/lookup", json=body)

    def prefill(self, code: str, search: Mapping[str, str], on: date | None = None) -> dict[str, Any]:
        """Fill a procedure's form of a day, or today's: `{procedure, items, papers, missing_items, ...}`."""
        body = {"search": dict(search), "on": on and on.isoformat()}
        return self._ask("POST", f"/v1/procedures/{code}/prefill", json=body)

    def submit(
        self,
        code: str,
        form: Mapping[str, Any],
        search: Mapping[str, str],
        answers: Mapping[str, Mapping[str, Any]],
        *,
        dossier: str,
    ) -> dict[str, Any]:
        """Submit a citizen's answers on a form; returns `{submission, kept, submitted_at, request_id}`.

        Args:
            code: of the procedure.
            form: what `prefill` returned.
            search: the same person.
            answers: item -> `{kind, value}`: confirmed, corrected, answered or none.
            dossier: its code, or the agency's own reference.
        """
        body = {"request_id": form["request_id"], "search": dict(search), "dossier": dossier}
        body |= {"answers": {name: dict(answer) for name, answer in answers.items()}}
        path = f"/v1/procedures/{code}/submissions"
        return self._of_citizen(path, body, errors={409: SubmissionRefused})

    def consent(self, consent: Mapping[str, Any]) -> dict[str, Any]:
        """Record the citizen's consent; returns `{consent, request_id}`.

        Args:
            consent: `{agreement, purpose, attributes, text, given_at, proof}`; see `/openapi.json`.
        """
        body = self._about_citizen() | dict(consent)
        return self._of_citizen("/v1/consents", body, errors={409: ConsentRefused})

    def withdraw(self, consent: str, withdrawn_at: str, proof: Mapping[str, str]) -> dict[str, Any]:
        """Withdraw the citizen's consent; returns `{consent, withdrawn_at, answer_by, due_on}`."""
        body = {"withdrawn_at": withdrawn_at, "proof": dict(proof)}
        errors: dict[int, type[OncehubError]] = {404: ConsentNotFound, 409: ConsentRefused}
        return self._of_citizen(f"/v1/consents/{uuid.UUID(consent)}/withdrawal", body, errors=errors)

    def consents(self) -> list[dict[str, Any]]:
        """List the citizen's consents, the oldest first."""
        return list(self._of_citizen("/v1/consents/query", self._about_citizen())["consents"])

    def changes(
        self, feed: str, after: int = 0, limit: int = 500, *, epoch: str | None = None
    ) -> dict[str, Any]:
        """Read a feed on from a sequence; returns `{changes, next, epoch, more}`.

        Args:
            feed: its name.
            after: sequence of the last line that the agency has; 0 reads from the start.
            limit: the most lines.
            epoch: that of the last page: after a restore of the hub it tells that a new snapshot is needed.

        Raises:
            OutOfSequence: when a new snapshot is needed: read from `after` 0 and replace what is held.
        """
        return self._read(f"/v1/feeds/{feed}/changes", after, limit, epoch)

    def corrections(self, after: int = 0, limit: int = 500, *, epoch: str | None = None) -> dict[str, Any]:
        """Read the correction notices to the agency's own source; returns `{notices, next, epoch, more}`.

        Arguments and errors are those of `changes`.
        """
        return self._read("/v1/corrections", after, limit, epoch)

    def acknowledge(
        self, sequence: int, responses: Sequence[Mapping[str, Any]] = (), *, epoch: str | None = None
    ) -> dict[str, Any]:
        """Acknowledge notices up to a sequence; returns `{acknowledged, fetched}`.

        Args:
            sequence: of the last line that the agency keeps.
            responses: `{notice, response, reason}`: accepted, in_progress, or rejected with its reason.
            epoch: that of the pages with these lines.

        Raises:
            OutOfSequence: when the lines are of another epoch.
        """
        body = {"acknowledged": sequence, "responses": [dict(response) for response in responses]}
        body |= {"epoch": epoch} if epoch else {}
        return self._ask("POST", "/v1/corrections/acknowledgements", json=body, errors={409: OutOfSequence})

    def cases(self, after: int = 0, limit: int = 100, *, closed: bool = False) -> dict[str, Any]:
        """List cases on from a number; returns `{cases, next, more}`."""
        wanted = {"after": after, "limit": limit, "closed": closed}
        return self._ask("GET", "/v1/cases", params=wanted)

    def case(self, case: int) -> dict[str, Any]:
        """Show a case with the evidence; see `/openapi.json`."""
        return self._ask("GET", f"/v1/cases/{case}", errors={404: CaseNotFound})

    def decide(self, case: int, verdict: str, reason: str, **more: Any) -> dict[str, Any]:
        """Decide a case; returns `{decision, takes_effect, request_id}`.

        Args:
            case: its number.
            verdict: `same`, `different` or `other`; of a correction request `approve` or `reject`.
            reason: why; kept permanently.
            more: `person` (with same, where several are named), `search` (with other), `last_decision`.
        """
        body = {"verdict": verdict, "reason": reason, **more}
        absent = PersonNotFound if "search" in more else CaseNotFound
        errors: dict[int, type[OncehubError]] = {404: absent, 409: DecisionRefused}
        return self._ask("POST", f"/v1/cases/{case}/decisions", json=body, errors=errors)

    def usage(self, **more: Any) -> dict[str, Any]:
        """List who received the citizen's data; returns `{totalUsages, usages, until, requestId}`.

        Args:
            more: `period` (`from`, `until`), `offset`, `limit`.
        """
        return self._of_citizen("/v1/usage/find", self._about_citizen() | more)

    def correct(self, attribute: str, value: Any, reason: str, document: str | None = None) -> dict[str, Any]:
        """Request the correction of a value of the citizen; returns `{case, opened, request_id}`."""
        body = {"attribute": attribute, "value": value, "reason": reason, "document": document}
        return self._of_citizen(
            "/v1/persons/corrections", self._about_citizen() | body, errors={409: CorrectionRefused}
        )

    def correction_requests(self) -> list[dict[str, Any]]:
        """List the citizen's correction requests and their states, the latest first."""
        answer = self._of_citizen("/v1/persons/corrections/status", self._about_citizen())
        return list(answer["requests"])

    def agreement(self) -> dict[str, Any]:
        """Return this client's `{agreement, in_force, valid_until, needs_consent, remaining_today}`."""
        return self._ask("GET", "/v1/agreements/mine")

    def token(self) -> str:
        """Return a bearer token that is valid for at least half a minute."""
        if time.monotonic() >= self._renew_at:
            self._renew()
        return self._token

    def assertion(self, jti: str | None = None) -> str:
        """Sign a fresh client assertion (RFC 7523), with a `jti` of its own unless one is given."""
        now = int(time.time())
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": self._issuer,
            "iat": now,
            "exp": now + ASSERTION_SECONDS // 5,
            "jti": jti or str(uuid.uuid4()),
        }
        if self._officer:
            claims["act"] = {"sub": self._officer}
        if self._citizen:
            claims["act"] = {"sub": self._citizen, "role": "citizen"}
        algorithm = "ES256" if isinstance(self._key, ECKey) else "Ed25519"
        return jwt.encode(
            {"alg": algorithm, "kid": self._key.thumbprint()}, claims, self._key, algorithms=[algorithm]
        )

    def _ask(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token()}"}
        return self._send(method, path, headers=headers, **arguments)

    def _of_citizen(
        self, path: str, body: Mapping[str, Any], errors: dict[int, type[OncehubError]] = _PLAIN
    ) -> dict[str, Any]:
        """Send a request in which a citizen acts, with evidence of who they are."""
        sent = dict(body)
        if self._prove_citizen:
            asked = Asked(self._issuer, self._client_id, self._agreement, f"POST {path}", sent)
            sent["evidence"] = self._prove_citizen(asked.nonce())
        return self._ask("POST", path, json=sent, errors=errors)

    def _read(self, path: str, after: int, limit: int, epoch: str | None) -> dict[str, Any]:
        wanted = {"after": after, "limit": limit} | ({"epoch": epoch} if epoch else {})
        return self._ask("GET", path, params=wanted, errors={409: OutOfSequence})

    def _about_citizen(self) -> dict[str, Any]:
        return {"search": {"person.personal_id": self._citizen or ""}}

    def _renew(self) -> None:
        jti = str(uuid.uuid4())
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(jti),
        }
        if self._prove_officer:
            asked = officer_sign_in(self._issuer, self._client_id, self._agreement, jti)
            form |= {
                "actor_token": self._prove_officer(asked.nonce()),
                "actor_token_type": ID_TOKEN_TYPE,
            }
        answer = self._send("POST", "/v1/token", data=form)
        self._token = answer["access_token"]
        self._renew_at = time.monotonic() + answer["expires_in"] - _RENEW_SECONDS

    def _send(
        self, method: str, path: str, errors: dict[int, type[OncehubError]] = _PLAIN, **arguments: Any
    ) -> dict[str, Any]:
        url = self._base_url + path
        try:
            # The target of a redirect is not the hub: assertions and identifiers must not be sent there.
            response = self._session.request(
                method, url, timeout=self._timeout, allow_redirects=False, **arguments
            )
            if 300 <= response.status_code <= 399:
                raise RequestRefused(f"answered {response.status_code}, a redirect; check the hub's address")
            answer = response.json()
        except requests.RequestException as error:
            raise SourceUnavailable(f"the hub does not answer: {type(error).__name__}") from None
        if response.ok and isinstance(answer, dict):
            return answer
        raise _error(response, answer if isinstance(answer, dict) else {}, errors)


def _private_key(pem: str | bytes) -> OKPKey | ECKey:
    text = pem.decode() if isinstance(pem, bytes) else pem
    for kind in ("OKP", "EC"):
        try:
            key = import_key(text, kind)
        except ValueError:
            continue
        if isinstance(key, OKPKey | ECKey):
            return key
    raise ValueError("give an Ed25519 or P-256 private key as PKCS #8 PEM")


def _error(
    response: requests.Response, answer: dict[str, Any], errors: dict[int, type[OncehubError]]
) -> Exception:
    detail = str(answer.get("detail") or answer.get("error_description") or response.reason)
    status = response.status_code
    if status == 403 and "check" in answer:
        return EvidenceRefused(str(answer["check"]), detail)
    if status == 403:
        return AccessDenied(detail, tuple(answer.get("refused", ())))
    if status == 429:
        return TooManyRequests(detail, int(response.headers.get("Retry-After", "1")))
    if status >= 500:
        return SourceUnavailable(f"the hub cannot answer now ({status})")
    kind = (_PLAIN | errors).get(status, RequestRefused)
    if kind is OutOfSequence:
        return OutOfSequence(detail, int(answer.get("last_sequence", 0)), str(answer.get("epoch", "")))
    return kind(detail)

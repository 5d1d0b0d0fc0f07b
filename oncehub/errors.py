"""Every error the hub raises on purpose.

    OncehubError
    ├── ConfigError            a file or setting is wrong: says where, and what to write instead
    │   ├── ExtraMissing       a part of the hub needs packages of an extra that is not installed
    │   └── KeyMissing         the key of an encrypted value is missing: the error names the key
    ├── DecryptionFailed       an encrypted value was altered, or belongs to another place
    ├── StoreError             the database cannot be used
    │   ├── StoreUnavailable   ... now; a retry may cure it
    │   └── StoreOutdated      ... before `oncehub init` has run
    ├── SourceError            a source did not give what it promised
    │   ├── TransientError     a retry may cure it
    │   │   ├── Throttled      asked to wait (`retry_after` seconds)
    │   │   ├── SourceUnavailable   down, slow, half a page, nonsense
    │   │   └── ResumeTokenInvalid  a stored resume token cannot be read; the next run reads anew
    │   └── PermanentError     a retry will not
    │       ├── AuthenticationError   credentials refused
    │       ├── ContractBroken        a page, file or absence delete breaks the agreed form as a whole
    │       │   └── ContractStopped   a record differs in a way that ends the run
    │       └── RequestRefused        the source calls our request wrong
    ├── RunBusy                another process works on the same stream or step
    ├── NotTrainable           too little is linked to train a matching model on
    ├── CaseNotFound           there is no case of that number
    ├── DecisionRefused        a clerk's decision does not fit what stands now
    ├── CorrectionRefused      a citizen's request asks for what is, or is being, looked at
    ├── PersonNotFound         nobody, or more than one, fits what was given
    ├── PersonNotLiving        a procedure was opened for somebody not held as living
    ├── ConsentNotFound        there is no consent of that id
    ├── ConsentRefused         what was to be recorded is no consent, or no withdrawal of one
    ├── RequestStepRefused     a step of a citizen's request does not fit what was done of it
    ├── NotFetched             an agency acknowledges or answers what it was not given
    ├── SubmissionInvalid      what comes back for a form does not fit it: says where
    ├── SubmissionRefused      what comes back for a form comes too late, or comes otherwise a second time
    ├── LogUnsigned            the access log has gone unsigned for too long: look-ups stop
    ├── TooManyRequests        an agreement's limit is reached; asked to wait (`retry_after` seconds)
    └── AccessDenied           an agreement does not allow what was asked
        └── NotAuthenticated   the caller did not prove who it is

Messages never carry personal data or secrets: field names, codes and counts only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class OncehubError(Exception):
    """Base of every error the hub raises on purpose; `str()` is one line fit for a person."""


class ConfigError(OncehubError):
    """A configuration file, schema or setting is wrong; the message says where and what to write."""


class ExtraMissing(ConfigError):
    """A part of the hub needs packages that only an extra installs; the message names the extra."""


class KeyMissing(ConfigError):
    """The key ring lacks the key of an encrypted value; nothing is lost."""


class DecryptionFailed(OncehubError):
    """An encrypted value was altered, or belongs to another place."""


class StoreError(OncehubError):
    """The database cannot be used."""


class StoreUnavailable(StoreError):
    """The database does not answer now."""


class StoreOutdated(StoreError):
    """The database lacks tables, migrations or routines that this version needs."""


class SourceError(OncehubError):
    """A source did not give what it promised."""


class TransientError(SourceError):
    """A failure that a later try may cure."""


class Throttled(TransientError):
    """The source asked to wait.

    Attributes:
        retry_after: seconds to wait before the next request.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SourceUnavailable(TransientError):
    """The source is down, slow, or answered with half a page or nonsense."""


class ResumeTokenInvalid(TransientError):
    """A stored resume token is of another version or shape; the next run reads the stream anew."""


class PermanentError(SourceError):
    """A failure that no retry cures."""


class AuthenticationError(PermanentError):
    """The source refused the hub's credentials."""


class ContractBroken(PermanentError):
    """A page, a file or an absence delete breaks the agreed form as a whole."""


class ContractStopped(ContractBroken):
    """A record differs from its schema in a way for which its contract says `stop`."""


class RequestRefused(PermanentError):
    """The source calls the hub's request wrong."""


class RunBusy(OncehubError):
    """Another process is at work on the same stream or step."""


class NotTrainable(OncehubError):
    """Too few records are linked by identifiers to learn from."""


class CaseNotFound(OncehubError):
    """There is no case of that number."""


class DecisionRefused(OncehubError):
    """A clerk's decision does not fit what stands now: look again, then decide."""


class CorrectionRefused(OncehubError):
    """What a citizen asks to be corrected is as they say, or is being looked at already.

    Attributes:
        case: number of the case that looks at it; None where there is none.
    """

    def __init__(self, message: str, case: int | None = None) -> None:
        super().__init__(message)
        self.case = case


class PersonNotFound(OncehubError):
    """Nobody, or more than one, fits the identifiers that were given."""


class PersonNotLiving(OncehubError):
    """A procedure was opened for somebody whom the register does not hold as living."""


class ConsentNotFound(OncehubError):
    """There is no consent of that id, or none that the caller may withdraw."""


class ConsentRefused(OncehubError):
    """What was to be recorded is no consent of a citizen, or no withdrawal of one."""


class RequestStepRefused(OncehubError):
    """There is no such request of a citizen, or the step does not fit what was done of it already."""


class NotFetched(OncehubError):
    """An agency acknowledges, or answers, lines that were never given out to it.

    Attributes:
        place: where in the request it does, outermost name first.
    """

    def __init__(self, message: str, place: tuple[str | int, ...]) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a request.

    Attributes:
        place: where in its body, outermost name first.
        detail: what is wrong; never quotes a value.
    """

    place: tuple[str | int, ...]
    detail: str


class SubmissionInvalid(OncehubError):
    """What comes back for a form does not fit the form, or a value its attribute.

    Attributes:
        faults: at least one.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("what was submitted does not fit the form that was filled")
        self.faults = tuple(faults)


class SubmissionRefused(OncehubError):
    """What comes back for a form cannot be taken any more: have the form filled anew."""


class LogUnsigned(OncehubError):
    """The access log has gone unsigned for longer than allowed; look-ups stop until it is signed."""


class TooManyRequests(OncehubError):
    """An agreement's limit of requests is reached.

    Attributes:
        retry_after: whole seconds to wait.
    """

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AccessDenied(OncehubError):
    """No agreement allows what was asked.

    Attributes:
        refused: names of the refused attributes, sorted; empty when the whole request is refused.
    """

    def __init__(self, message: str, refused: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.refused = refused


class NotAuthenticated(AccessDenied):
    """The caller did not prove who it is."""

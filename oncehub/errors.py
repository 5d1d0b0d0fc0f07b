"""All errors that the hub raises on purpose.

    OncehubError
    ├── ConfigError            a file or setting is wrong: the message gives the place and what to write
    │   ├── ExtraMissing       a part of the hub needs packages of an extra that is not installed
    │   └── KeyMissing         the key of an encrypted value is missing: the message names the key
    ├── DecryptionFailed       an encrypted value was altered, or belongs to another place
    ├── StoreError             the database cannot be used
    │   ├── StoreUnavailable   ... now; a retry may succeed
    │   ├── StoreOutdated      ... before `oncehub init` has run
    │   └── StoreNotAdopted    ... after a restore or failover, before `oncehub restore adopt` has run
    ├── SourceError            a source did not return what it promised
    │   ├── TransientError     a retry may succeed
    │   │   ├── Throttled      the source asked to wait (`retry_after` seconds)
    │   │   ├── SourceUnavailable   the source is down, slow, or returns incomplete or invalid pages
    │   │   └── ResumeTokenInvalid  a stored resume token cannot be read; the next run starts over
    │   └── PermanentError     a retry will not succeed
    │       ├── AuthenticationError   the source refused the credentials
    │       ├── ContractBroken        a page, file or absence delete breaks the contract as a whole
    │       │   └── ContractStopped   a record differs from its schema in a way that ends the run
    │       └── RequestRefused        the source, or for a client the hub, calls the request invalid
    ├── ResourcesExhausted     memory, disk, open files or threads of the process have ended
    ├── RunBusy                another process works on the same stream or step
    ├── NotTrainable           too few records are linked to train a matching model
    ├── RequestStepRefused     a step of a citizen's request does not fit the steps before it
    ├── LogUnsigned            the access log has been unsigned for too long: look-ups stop
    └── Refusal                a request under an agreement is refused; the access log records it
        ├── AccessDenied       the agreement does not allow the request
        │   ├── EvidenceRefused    nothing proves the citizen or officer who acts: `check` names what failed
        │   └── NotAuthenticated   the caller did not prove its identity
        ├── TooManyRequests    the agreement's limit is reached (wait `retry_after` seconds)
        ├── PersonNotFound     no person, or more than one, fits the search
        ├── PersonNotLiving    a procedure was opened for a person who is not registered as living
        ├── CaseNotFound       there is no case with that number
        ├── DecisionRefused    a clerk's decision does not fit the present state of the case
        ├── CorrectionRefused  the value is already as the citizen wants it, or is being examined
        ├── OutOfSequence      a consumer asks from beyond what it can have read: it needs a new snapshot
        ├── ConsentNotFound    there is no consent with that id
        ├── ConsentRefused     a consent or its withdrawal is not valid
        ├── NotFetched         an agency acknowledges or responds to notices that it has not fetched
        ├── SubmissionInvalid  the answers do not fit the form: `faults` gives the places
        └── SubmissionRefused  the answers come too late, or differ from those submitted before

Messages never contain personal data or secrets: only field names, codes and counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class OncehubError(Exception):
    """Base of all errors that the hub raises on purpose; `str()` is one line for a person to read."""


class ConfigError(OncehubError):
    """A configuration file, schema or setting is wrong; the message gives the place and what to write."""


class ExtraMissing(ConfigError):
    """A part of the hub needs packages that only an extra installs; the message names the extra."""


class KeyMissing(ConfigError):
    """A key that the hub has used is not there; nothing is lost."""


class DecryptionFailed(OncehubError):
    """An encrypted value was altered, or belongs to another place."""


class StoreError(OncehubError):
    """The database cannot be used."""


class StoreUnavailable(StoreError):
    """The database does not answer now."""


class StoreOutdated(StoreError):
    """The database lacks tables, migrations or routines that this version needs."""


class StoreNotAdopted(StoreError):
    """The database was restored, copied or failed over, or the anchors are ahead of it; nobody adopted it."""


class SourceError(OncehubError):
    """A source did not return what it promised."""


class TransientError(SourceError):
    """A failure after which a retry may succeed."""


class Throttled(TransientError):
    """The source asked to wait.

    Attributes:
        retry_after: seconds to wait before the next request.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SourceUnavailable(TransientError):
    """The source is down, slow, or returned an incomplete or invalid page."""


class ResumeTokenInvalid(TransientError):
    """A stored resume token has another version or form; the next run reads the stream from its start."""


class PermanentError(SourceError):
    """A failure after which a retry will not succeed."""


class AuthenticationError(PermanentError):
    """The source refused the hub's credentials."""


class ContractBroken(PermanentError):
    """A page, a file or an absence delete breaks the contract as a whole."""


class ContractStopped(ContractBroken):
    """A record differs from its schema in a way for which its contract says `stop`."""


class RequestRefused(PermanentError):
    """The source calls the hub's request invalid, or the hub a client's."""


class ResourcesExhausted(OncehubError):
    """Memory, disk, open files or threads of this process have ended; the message says what to raise."""


class RunBusy(OncehubError):
    """Another process works on the same stream or step."""


class NotTrainable(OncehubError):
    """Identifiers have linked too few records to train a model."""


class RequestStepRefused(OncehubError):
    """A citizen's request does not exist, or the step does not fit the steps before it."""


class LogUnsigned(OncehubError):
    """The access log has been unsigned for longer than allowed; look-ups stop until it is signed."""


class Refusal(OncehubError):
    """A request under an agreement is refused; the access log records the refusal.

    Attributes:
        logged: whether the access log has a line about this refusal alone.
    """

    logged = False


class AccessDenied(Refusal):
    """No agreement allows the request.

    Attributes:
        refused: names of the refused attributes, sorted; empty when the whole request is refused.
    """

    def __init__(self, message: str, refused: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.refused = refused


class EvidenceRefused(AccessDenied):
    """Nothing proves the citizen or officer who acts.

    Attributes:
        check: the one that failed, such as `nonce`.
    """

    def __init__(self, check: str, message: str) -> None:
        super().__init__(message)
        self.check = check


class NotAuthenticated(AccessDenied):
    """The caller did not prove its identity."""


class TooManyRequests(Refusal):
    """An agreement's limit of requests is reached.

    Attributes:
        retry_after: whole seconds to wait.
    """

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PersonNotFound(Refusal):
    """No person, or more than one, fits the identifiers of the search."""


class PersonNotLiving(Refusal):
    """A procedure was opened for a person who is not registered as living."""


class CaseNotFound(Refusal):
    """There is no case with that number."""


class DecisionRefused(Refusal):
    """A clerk's decision does not fit the present state of the case: read it again, then decide."""


class CorrectionRefused(Refusal):
    """The value is already as the citizen wants it, or a case examines it already.

    Attributes:
        case: number of the case that examines it; None where there is none.
    """

    def __init__(self, message: str, case: int | None = None) -> None:
        super().__init__(message)
        self.case = case


class OutOfSequence(Refusal):
    """A consumer reads on from an entry that it was not given, or that was given out in another epoch.

    Attributes:
        last_sequence: number of the sequence's last entry.
        epoch: of the numbers now.
    """

    def __init__(self, message: str, last_sequence: int, epoch: str) -> None:
        super().__init__(message)
        self.last_sequence = last_sequence
        self.epoch = epoch


class ConsentNotFound(Refusal):
    """There is no consent with that id, or the caller may not withdraw it."""


class ConsentRefused(Refusal):
    """A citizen's consent, or its withdrawal, is not valid."""


class NotFetched(Refusal):
    """An agency acknowledges, or responds to, notices that it has not fetched.

    Attributes:
        place: of the fault in the request, outermost name first.
    """

    def __init__(self, message: str, place: tuple[str | int, ...]) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True)
class Fault:
    """One fault of a request.

    Attributes:
        place: in its body, outermost name first.
        detail: what is wrong; never quotes a value.
    """

    place: tuple[str | int, ...]
    detail: str


class SubmissionInvalid(Refusal):
    """Answers do not fit their form, or a value does not fit its attribute.

    Attributes:
        faults: at least one.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("what was submitted does not fit the form that was filled")
        self.faults = tuple(faults)


class SubmissionRefused(Refusal):
    """A form's answers are no longer accepted: have the form filled again."""

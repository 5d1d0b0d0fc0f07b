"""Submissions of filled forms: recorded with the form, accepted once, left for intake to land."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from oncehub.audit.log.entries import VouchedBy
from oncehub.audit.log.pseudonyms import person_pseudonym
from oncehub.config.agreements import Agreement
from oncehub.errors import SubmissionRefused
from oncehub.share.forms.prefill import FilledForm, FormRequest
from oncehub.share.people.lookup import Person
from oncehub.share.request_proofs import insert
from oncehub.share.roles import rows_as
from oncehub.store.connection import Connection

LONGEST_OPEN: Final = timedelta(hours=24)
"""A form is answered within a day: what it showed may have changed, and filling it again costs nothing."""

_FIND = "select * from {share}.opened_form(%(request)s::uuid, %(client)s, %(agreement)s)"


@dataclass(frozen=True)
class Opening:
    """Which filled form: the request that had it filled, by which client under which agreement."""

    request_id: UUID
    client_id: str
    agreement: Agreement


@dataclass(frozen=True)
class Taken:
    """A submission that was taken.

    Attributes:
        kept: names of the items that the hub keeps an attribute for, sorted.
        digest: of its content, without the key of no use.
    """

    submission_id: UUID
    kept: tuple[str, ...]
    digest: bytes
    submitted_at: datetime


@dataclass(frozen=True)
class OpenForm:
    """A form as it was filled.

    Attributes:
        procedure: its id.
        person: the person's pseudonym, as the access log holds it.
        day: whose version of the form it is.
        filled: items that were filled and need no confirmation, and papers that are there.
        confirm: items to confirm -> digest of the value shown; None where that is a relative's.
        missing_items: items that the citizen was asked for.
        age: since it was filled.
        taken: what came back for it already.
    """

    procedure: str
    person: str
    day: date
    filled: tuple[str, ...]
    confirm: Mapping[str, str | None]
    missing_items: tuple[str, ...]
    age: timedelta
    taken: Taken | None


def note_form(
    connection: Connection, key: bytes, opening: Opening, asked: FormRequest, form: FilledForm
) -> None:
    """Record a filled form in the transaction of its answer: names of items, no value.

    Args:
        connection: the transaction of the answer.
        key: the hub's key for pseudonyms.
        opening: what the answer is known by.
        asked: which form.
        form: the answer.
    """
    confirm = {
        name: None if asked.fields[name].of else value_digest(key, opening.request_id, name, item.value)
        for name, item in form.items.items()
        if item.confirm
    }
    there = [*(name for name in form.items if name not in confirm), *form.papers]
    insert(
        connection,
        "share.prefill",
        {
            "request_id": opening.request_id,
            "client_id": opening.client_id,
            "agreement": opening.agreement.name,
            "procedure": asked.procedure.id,
            "person": person_pseudonym(key, form.person_key),
            "form_of": asked.day,
            "filled": there,
            "confirm": confirm,
            "missing_items": list(form.missing_items),
        },
    )


def find_open_form(connection: Connection, opening: Opening) -> OpenForm | None:
    """Return the form that was filled; None when the client had none filled by that request."""
    rows = rows_as(
        connection,
        opening.agreement,
        _FIND,
        {
            "request": str(opening.request_id),
            "client": opening.client_id,
            "agreement": opening.agreement.name,
        },
    )
    if not rows:
        return None
    (row,) = rows
    taken = row["submission_id"] and Taken(
        submission_id=UUID(str(row["submission_id"])),
        kept=tuple(row["kept"]),
        digest=bytes(row["digest"]),
        submitted_at=row["submitted_at"],
    )
    return OpenForm(
        procedure=row["procedure"],
        person=row["person"],
        day=row["form_of"],
        filled=tuple(row["filled"]),
        confirm=row["confirm"],
        missing_items=tuple(row["missing_items"]),
        age=row["age"],
        taken=taken or None,
    )


@dataclass(frozen=True)
class Submitted:
    """What is recorded of answers that are taken.

    Attributes:
        digest: see `content_digest`.
        kept: names of the items that the hub keeps an attribute for.
        vouched_by: who vouches for the citizen: see `oncehub.audit.log.entries.Entry`.
    """

    dossier: str
    digest: bytes
    kept: tuple[str, ...]
    vouched_by: VouchedBy | None


def take(connection: Connection, opening: Opening, submitted: Submitted) -> bool:
    """Record, within the caller's transaction, that the form was answered; False when it was before.

    Of two that come at once the second waits for the first to commit.
    """
    row = {
        "request_id": opening.request_id,
        "dossier": submitted.dossier,
        "digest": submitted.digest,
        "kept": sorted(submitted.kept),
        "vouched_by": submitted.vouched_by,
    }
    return bool(insert(connection, "share.submission", row)["written"])


def require_open(form: OpenForm) -> None:
    """Check that a form that nothing has come back for was filled lately.

    Raises:
        SubmissionRefused: when it was not.
    """
    if form.taken is None and form.age > LONGEST_OPEN:
        hours = LONGEST_OPEN // timedelta(hours=1)
        raise SubmissionRefused(f"the form was filled more than {hours} hours ago; request it again")


def require_unchanged(
    form: OpenForm, key: bytes, request_id: UUID, person: Person, confirmed: Mapping[str, str]
) -> None:
    """Check that what the citizen confirmed is what the form showed.

    Args:
        form: as it was filled.
        key: the hub's key for pseudonyms.
        request_id: of the request that had it filled.
        person: with what is believed now.
        confirmed: items confirmed as they were -> attribute, but for relatives' items.

    Raises:
        SubmissionRefused: naming the items of which something else is believed by now.
    """
    changed = sorted(
        item
        for item, attribute in confirmed.items()
        if form.confirm[item] != value_digest(key, request_id, item, person.attributes[attribute].value)
    )
    if changed:
        raise SubmissionRefused(
            f"what is known has changed since the form was filled: {', '.join(changed)}; request it again"
        )


def value_digest(key: bytes, request_id: UUID, item: str, value: Any) -> str:
    """Return a keyed digest of a value shown, of use for this item of this form only."""
    return _digest(key, f"form {request_id} {item}", value).hex()


def content_digest(key: bytes, request_id: UUID, content: Any) -> bytes:
    """Return a keyed digest of what came back for a form."""
    return _digest(key, f"submission {request_id}", content)


def _digest(key: bytes, context: str, content: Any) -> bytes:
    written = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return hmac.digest(key, context.encode() + b"\x1f" + written, "sha256")

"""Opens requests in the database as the API's process does, for tests of what an open request is told."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

from oncehub.audit.log.pseudonyms import pseudonym_key
from oncehub.config.agreements import Agreement
from oncehub.encryption.secrets import symmetric_key
from oncehub.settings import Settings
from oncehub.share.corrections import read_notices as notices
from oncehub.share.delivery.gap_free_sequence import SequencePage, Start
from oncehub.share.feeds import entries
from oncehub.share.forms.prefill import FormRequest, question_for_form
from oncehub.share.people.lookup import (
    Asked,
    Opened,
    Person,
    Question,
    Told,
    Withheld,
    open_request,
    told,
)
from oncehub.share.request_proofs import ProofKeys, Signed, padded_blocks
from oncehub.store.connection import Connection

ASK = "select share.ask(%s, %s, %s)"
TELL = "select outcome, given, provenance, disputed from share.tell(%s, %s::uuid, %s)"
OPEN = "select part, key::text, given from share.open(%s, %s::uuid, %s, %s, null)"


def proof_keys(settings: Settings) -> ProofKeys:
    return ProofKeys(symmetric_key("request", settings.home), pseudonym_key(settings.home))


@dataclass
class Asking:
    """The API's process, which has the key: it asks under an agreement for a client of that name.

    Attributes:
        connection: of the API's login.
    """

    connection: Connection
    keys: ProofKeys
    agreement: str
    request_id: UUID = field(default_factory=uuid4)

    def signed(self, question: Question) -> Signed:
        stated = {"client": self.agreement} | dict(question.stated)
        return Question(**vars(question) | {"stated": stated}).signed(
            self.keys, self.agreement, self.request_id
        )

    def ask(self, signed: Signed) -> str | None:
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(ASK, (signed.message, signed.code, self.keys.pseudonym_blocks))
            ((outcome,),) = cursor.fetchall()
        return outcome

    def open(self, question: Question) -> list[tuple[Any, ...]]:
        """Ask, and open it in a transaction of the connection, which stays open."""
        signed = self.signed(question)
        self.ask(signed)
        with self.connection.cursor() as cursor:
            cursor.execute(OPEN, (signed.at, str(self.request_id), question.step, signed.code))
            return cursor.fetchall()


def open_form(
    settings: Settings, database: Connection, wanted: FormRequest, search: Mapping[str, str]
) -> Opened:
    """Open a form in a transaction of the owner's connection, as the API does for a prefill."""
    name = wanted.agreement.name
    with database.cursor() as cursor:
        cursor.execute(
            "insert into share.client (client_id, agreement) values (%s, %s) on conflict do nothing",
            (name, name),
        )
    question = replace(question_for_form(wanted, "prefill", search), stated={"client": name})
    return open_request(database, wanted.agreement, Asked(question, uuid4(), proof_keys(settings)))


def look_up(connection: Connection, agreement: Agreement, asked: Asked) -> Person | Withheld | None:
    """Look one person up as the API does, in two transactions of the API's connection."""
    signed = asked.question.signed(asked.keys, agreement.name, asked.request_id)
    with connection, connection.cursor() as cursor:
        cursor.execute(ASK, (signed.message, signed.code, asked.keys.pseudonym_blocks))
        ((outcome,),) = cursor.fetchall()
    given: tuple[Any, ...] = (outcome, None, None, None)
    if outcome == "found":
        with connection, connection.cursor() as cursor:
            cursor.execute(TELL, (signed.at, str(asked.request_id), signed.code))
            (given,) = cursor.fetchall()
    return told(agreement, asked, Told(*given))


def read_changes(connection: Connection, agreement: Agreement, start: Start, key: bytes) -> SequencePage:
    """Open a page of a feed in a transaction of the owner's connection, and read it."""
    _open_page(connection, agreement, "feed", agreement.feed or "", start)
    return entries.read_changes(connection, agreement, start, key)


def read_notices(connection: Connection, agreement: Agreement, start: Start) -> SequencePage:
    """Open a page of notices in a transaction of the owner's connection, and read it."""
    assert agreement.corrections
    _open_page(connection, agreement, "corrections", f"corrections.{agreement.corrections.source}", start)
    return notices.read_notices(connection, agreement, start)


def find_person(
    connection: Connection,
    agreement: Agreement,
    search: Mapping[str, str],
    attributes: Collection[str],
    *,
    partly: bool = False,
) -> Person | Withheld | None:
    """Open a request about a person in a transaction of the owner's connection, as for a form."""
    question = Question("prefill", search, tuple(attributes), partly=partly)
    return _open(connection, agreement, question).person


def _open_page(connection: Connection, agreement: Agreement, action: str, feed: str, start: Start) -> None:
    _open(connection, agreement, Question(action, feed=feed, after=start.after, lines=start.limit))


def _open(connection: Connection, agreement: Agreement, question: Question) -> Opened:
    """Open a request for a client and by keys that it makes where there are none."""
    keys = ProofKeys(os.urandom(32), os.urandom(32))
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into share.client (client_id, agreement) select %(name)s, %(name)s "
            "where not exists (select from share.client where agreement = %(name)s)",
            {"name": agreement.name},
        )
        cursor.execute("select client_id from share.client where agreement = %s limit 1", (agreement.name,))
        ((client,),) = cursor.fetchall()
        cursor.execute("insert into share.request_key (blocks) values (%s)", (padded_blocks(keys.request),))
    stated = replace(question, stated={"client": client})
    return open_request(connection, agreement, Asked(stated, uuid4(), keys))

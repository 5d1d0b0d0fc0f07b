"""What all routes share: agreements, procedures, keys, database and limits."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from fastapi import Depends, Request

from oncehub.api.auth.tokens import TokenKeys, VerifiedTokens, load_token_keys
from oncehub.api.core.limits import CheckpointWatch, FailureLimits, RequestLimits, checkpoint_watch
from oncehub.api.core.metrics import Metrics
from oncehub.api.core.refusals import RefusalCounter
from oncehub.api.database import Database, api_login
from oncehub.api.http.oauth import DEFAULT_ISSUER
from oncehub.api.look_ups import LookUps
from oncehub.audit.log.pseudonyms import retired_pseudonym_keys
from oncehub.config.agreements import Agreement
from oncehub.config.catalogue import load_rules
from oncehub.config.entities import Attribute, Entity, load_entities
from oncehub.config.privacy import DeadlineRules
from oncehub.config.procedures import Procedure
from oncehub.encryption.known_keys import required_key, required_ring
from oncehub.encryption.secrets import symmetric_key
from oncehub.errors import NotAuthenticated
from oncehub.settings import Settings
from oncehub.share.access.database_access import (
    build_database_access,
    encrypted_attributes,
    require_database_access,
)
from oncehub.share.access.login_settings import require_login_settings
from oncehub.share.access.rights import require_rights
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.procedures import load_procedures
from oncehub.share.agreements.submission_routing import Desk, load_desks
from oncehub.share.identity.providers import ProvidersInForce
from oncehub.share.people.confidence import ConfidenceRules, load_confidence_rules
from oncehub.share.people.labels import Labels, load_labels
from oncehub.share.request_proofs import ProofKeys, proving, require_proof_keys
from oncehub.store.connection import connect
from oncehub.store.failures import without_values
from oncehub.store.history import require_own
from oncehub.store.migrate import opened, require_current


@dataclass(frozen=True)
class Hub:
    """The configuration, keys and database of the API, loaded once at its start.

    Attributes:
        issuer: the hub's identifier, the audience of assertions and tokens (`ONCEHUB_ISSUER`).
        attributes: the canonical attributes by qualified name.
        person: the canonical person; submitted values are validated against its schema.
        deadlines: of citizens' requests.
        look_ups: the connections of look-ups.
        home: has the key ring.
        confidence: the rules that set the confidence in a value.
        labels: what coded values are called.
        desks: the destination of submissions, by the name of the agreement.
        refusals: counts refused requests for the access log.
        metrics: counts and times requests for Prometheus.
        identity_providers: those that prove citizens and officers.
    """

    issuer: str
    agreements: dict[str, Agreement]
    procedures: dict[str, Procedure]
    attributes: dict[str, Attribute]
    person: Entity
    deadlines: DeadlineRules
    confidence: ConfidenceRules
    labels: Labels
    database: Database
    look_ups: LookUps
    home: Path
    token_keys: TokenKeys
    proof_keys: ProofKeys
    retired_pseudonym_keys: tuple[bytes, ...] = field(repr=False)
    checkpoints: CheckpointWatch
    desks: dict[str, Desk]
    limits: RequestLimits
    failures: FailureLimits
    refusals: RefusalCounter
    metrics: Metrics
    identity_providers: ProvidersInForce

    @property
    def pseudonym_key(self) -> bytes:
        """Names people in the access log, in feeds and in cases."""
        return self.proof_keys.pseudonym

    @cached_property
    def verified(self) -> VerifiedTokens:
        """The cache of verified tokens."""
        return VerifiedTokens(self.token_keys, self.issuer)

    def agreement(self, name: str) -> Agreement:
        """Return an agreement by name.

        Raises:
            NotAuthenticated: when it no longer exists.
        """
        if name not in self.agreements:
            raise NotAuthenticated("the client's agreement no longer exists")
        return self.agreements[name]


def open_hub(settings: Settings) -> Hub:
    """Read the configuration and open the database.

    Raises:
        ConfigError: when an agreement, procedure, schema or key is wrong.
        StoreError: when the database does not answer, or is not up to date.
    """
    agreements, procedures = load_agreements(settings), load_procedures(settings)
    with without_values("opening the hub"):
        login = _login(settings, agreements)
    with without_values("opening the hub"), closing(connect(login)) as connection:
        require_current(connection)
        with connection:
            require_own(connection)
        require_database_access(connection, agreements, encrypted_attributes(settings))
        require_rights(connection)
        require_login_settings(connection)
        with connection, connection.cursor() as cursor:
            required_ring(cursor, settings.home)
            key = required_key(cursor, "pseudonym", settings.home, former=retired_pseudonym_keys())
        proof_keys = ProofKeys(symmetric_key("request", settings.home), key)
        require_proof_keys(connection, proof_keys)
        with proving(proof_keys, uuid4()):
            token_keys = load_token_keys(settings.home, connection)
    metrics = Metrics()
    database = Database(login, in_use=metrics.note_in_use)
    look_ups = LookUps(login, in_use=metrics.note_in_use)
    metrics.note_pool(database.size + look_ups.size)
    return Hub(
        issuer=os.environ.get("ONCEHUB_ISSUER") or DEFAULT_ISSUER,
        agreements=agreements,
        procedures=procedures,
        attributes=canonical_attributes(settings),
        person=load_entities(settings.schemas)["person"],
        deadlines=load_rules(settings, "deadlines", DeadlineRules),
        confidence=load_confidence_rules(settings),
        labels=load_labels(settings),
        database=database,
        look_ups=look_ups,
        home=settings.home,
        token_keys=token_keys,
        proof_keys=proof_keys,
        retired_pseudonym_keys=retired_pseudonym_keys(),
        checkpoints=checkpoint_watch(),
        desks=load_desks(settings, agreements),
        limits=RequestLimits(),
        failures=FailureLimits(database, key),
        refusals=RefusalCounter(database.transaction),
        metrics=metrics,
        identity_providers=ProvidersInForce(settings),
    )


def _login(settings: Settings, agreements: dict[str, Agreement]) -> str:
    """Return the API's login; with the owner's login, first apply the agreements' rights."""
    if settings.api_database_url is None:
        with opened(settings) as connection:
            build_database_access(connection, agreements, encrypted_attributes(settings), settings.home)
    return api_login(settings)


def canonical_attributes(settings: Settings) -> dict[str, Attribute]:
    """Return the canonical attributes of every entity by qualified name."""
    return {
        entity.qualified(name): attribute
        for entity in load_entities(settings.schemas).values()
        for name, attribute in entity.attributes.items()
    }


async def _hub_of(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


TheHub = Annotated[Hub, Depends(_hub_of)]

"""Checks what an agreement allows; a request that it does not cover raises `AccessDenied`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from oncehub.clock import VIETNAM
from oncehub.config.agreements import Agreement, Cases, CitizenView, Corrections
from oncehub.config.procedures import Procedure
from oncehub.errors import AccessDenied, EvidenceRefused
from oncehub.share.agreements.procedures import had_code


def today() -> date:
    """Return the day it is in Vietnam."""
    return datetime.now(VIETNAM).date()


def require_in_force(agreement: Agreement, day: date) -> None:
    """Check that the agreement and its legal basis hold on `day`.

    Raises:
        AccessDenied: when they do not.
    """
    if not agreement.in_force(day):
        raise AccessDenied(f"the agreement {agreement.name} or its legal basis is not in force")


def require_attributes(agreement: Agreement, attributes: Iterable[str]) -> None:
    """Check that every attribute may leave the hub under the agreement.

    Raises:
        AccessDenied: naming those that may not.
    """
    if refused := sorted(set(attributes) - set(agreement.attributes)):
        raise AccessDenied("the agreement does not cover these attributes", tuple(refused))


def require_search(agreement: Agreement, search: Iterable[str]) -> None:
    """Check that every attribute may be searched by: an answer confirms the value.

    Raises:
        AccessDenied: naming those that may not.
    """
    if refused := sorted(set(search) - set(agreement.search_by)):
        raise AccessDenied("the agreement does not allow to search by these attributes", tuple(refused))


def require_purpose(agreement: Agreement, purpose: str | None) -> None:
    """Check that a stated purpose is the agreement's.

    Raises:
        AccessDenied: when it is another.
    """
    if purpose is not None and purpose != agreement.purpose:
        raise AccessDenied(f"the agreement's purpose is {agreement.purpose}, and no other")


def require_feed(agreement: Agreement, feed: str) -> None:
    """Check that the agreement entitles to the feed; the error does not disclose whether another feed exists.

    Raises:
        AccessDenied: when it does not.
    """
    if agreement.feed != feed:
        raise AccessDenied("the agreement does not entitle to this feed")


def require_corrections(agreement: Agreement, day: date) -> Corrections:
    """Return the correction notices that the agreement entitles to on `day`.

    Raises:
        AccessDenied: when it entitles to none, or their legal basis does not hold.
    """
    if agreement.corrections is None:
        raise AccessDenied("the agreement does not entitle to correction notices")
    if not agreement.corrects(day):
        raise AccessDenied("the legal basis of the agreement's correction notices is not in force")
    return agreement.corrections


def require_submissions(agreement: Agreement) -> None:
    """Check that the agreement entitles to submissions.

    Raises:
        AccessDenied: when it does not.
    """
    if agreement.submissions is None:
        raise AccessDenied("the agreement does not entitle to submissions")


def require_cases(agreement: Agreement, officer: str | None) -> Cases:
    """Return which cases the agreement lets an officer see and decide.

    Raises:
        AccessDenied: when it lets none, or no officer is named.
    """
    if agreement.cases is None:
        raise AccessDenied("the agreement does not entitle to cases")
    if officer is None:
        raise AccessDenied("cases are seen by people: name the officer as sub of the assertion's claim act")
    return agreement.cases


def require_consents(agreement: Agreement, other: str | None = None) -> tuple[str, ...]:
    """Return to which agreements consents may be recorded under this one; `other` must be among them.

    Raises:
        AccessDenied: when there are none, or not that one; the error does not disclose whether it exists.
    """
    if not agreement.records_consent_for:
        raise AccessDenied("the agreement does not entitle to record consents")
    if other is not None and other not in agreement.records_consent_for:
        raise AccessDenied("the agreement does not entitle to record consents to this one")
    return agreement.records_consent_for


def require_citizen_view(agreement: Agreement) -> CitizenView:
    """Return what the agreement opens to citizens.

    Raises:
        AccessDenied: when it opens nothing.
    """
    if agreement.citizen_view is None:
        raise AccessDenied("the agreement does not open a view for citizens")
    return agreement.citizen_view


def require_own(citizen: str | None, search: Mapping[str, str]) -> None:
    """Check that a request is about the citizen who acts; None: a proven officer vouches for its person.

    Raises:
        EvidenceRefused: when it is about another person.
    """
    if citizen is not None and search != {"person.personal_id": citizen}:
        raise EvidenceRefused("subject", "the request is about another person than the citizen who acts")


def require_usage(view: CitizenView) -> None:
    """Check that citizens may see who looked at their data.

    Raises:
        AccessDenied: when they may not.
    """
    if not view.usage:
        raise AccessDenied("the agreement does not open the use of their data to citizens")


def require_correctable(agreement: Agreement, attribute: str) -> None:
    """Check that citizens may say through the agreement that an attribute of theirs is wrong.

    Raises:
        AccessDenied: naming it when they may not.
    """
    view = agreement.citizen_view
    if view is None or attribute not in view.corrections:
        raise AccessDenied("the agreement does not take requests to correct this attribute", (attribute,))


def require_procedure(agreement: Agreement, procedure: Procedure | None, code: str, day: date) -> Procedure:
    """Return the procedure when the agreement covers it, and `code` led to it and it had a form on `day`.

    Raises:
        AccessDenied: when one fails; the error does not disclose whether an uncovered procedure exists.
    """
    if procedure is None or procedure.id not in agreement.procedures:
        raise AccessDenied("the agreement does not cover this procedure")
    if not had_code(procedure, code, day):
        raise AccessDenied(f"on {day} this code no longer led to the procedure; its code is {procedure.id}")
    if procedure.form_on(day) is None:
        raise AccessDenied(f"no form of the procedure {procedure.id} was in force on {day}")
    return procedure

"""The end of the citizen's story: she submits a form, and her next form shows what she entered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from demo.agencies import Agency, paced
from demo.failure import DemoFailed
from demo.stage import Stage
from demo.story.story import Story
from oncehub.config.catalogue import load_connector
from oncehub.intake.sync import sync
from oncehub.reconcile.run import reconcile

CODE = "1.004222"
ITEM = "phone"
"""The item that she corrects or answers; she confirms the others."""


@dataclass(frozen=True)
class SentBack:
    """A form that was submitted, and the next one.

    Attributes:
        answers: her answers, by item.
        kept: the items that the hub keeps.
        landed: records that the next sync of the portal landed.
        before: `ITEM` as the form showed it; None where it was missing.
        after: `ITEM` on her next form.
    """

    answers: dict[str, dict[str, Any]]
    kept: list[str]
    landed: int
    before: dict[str, Any] | None
    after: dict[str, Any]

    def figures(self) -> dict[str, int]:
        """Count her answers by kind, the items that the hub kept, and the landed records."""
        kinds = [answer["kind"] for answer in self.answers.values()]
        counted = {kind: kinds.count(kind) for kind in ("confirmed", "corrected", "answered")}
        return {**counted, "kept": len(self.kept), "landed": self.landed}


def send_back(stage: Stage, agency: Agency, story: Story) -> SentBack:
    """Submit one of her forms, sync and reconcile, and open the form again.

    Does as `oncehub sync portal.submissions` and `oncehub reconcile` do.

    Raises:
        DemoFailed: when her next form does not show her value with source portal as of today.
    """
    number = _personal_id(story)
    search = {"person.personal_id": number}
    form = paced(agency.client.prefill, CODE, search)
    answers = _answers(form)
    # She signs in for this submission: the portal's word alone is not enough.
    hers = agency.of_citizen(number, partial(stage.systems.sign_in, number))
    taken = paced(hers.submit, CODE, form, search, answers, dossier="demo-1")
    portal = load_connector(stage.settings, "portal")
    (report,) = sync(stage.settings, portal, None, streams=["submissions"], database=stage.database)
    reconcile(stage.settings, stage.database)
    after = paced(agency.client.prefill, CODE, search)["items"].get(ITEM, {})
    _require_shown(after, answers[ITEM]["value"])
    return SentBack(answers, taken["kept"], report.accepted, form["items"].get(ITEM), after)


def _personal_id(story: Story) -> str:
    (number,) = {
        str(form["items"]["personal_id"]["value"]) for form in story.forms if "personal_id" in form["items"]
    }
    return number


def _answers(form: dict[str, Any]) -> dict[str, dict[str, Any]]:
    answers: dict[str, dict[str, Any]] = {
        name: {"kind": "confirmed"} for name, item in form["items"].items() if item["confirm"]
    }
    # The other missing items are only for the portal: which household to join, who moves too.
    answers |= {name: {"kind": "none"} for name in form["missing_items"]}
    shown = form["items"].get(ITEM)
    if shown is None:
        return answers | {ITEM: {"kind": "answered", "value": "+84912000001"}}
    last = (int(shown["value"][-1]) + 1) % 10
    return answers | {ITEM: {"kind": "corrected", "value": f"{shown['value'][:-1]}{last}"}}


def _require_shown(after: dict[str, Any], entered: str) -> None:
    if (after.get("value"), after.get("source")) != (entered, "portal"):
        raise DemoFailed(f"her next form does not show the {ITEM} that she entered, with source portal")
    if datetime.fromisoformat(after["as_of"]).astimezone(UTC).date() != datetime.now(UTC).date():
        raise DemoFailed(f"her next form does not show the {ITEM} as of today")

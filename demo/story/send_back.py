"""The end of the citizen's story: what she says on a form comes back, and her next form shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
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
"""What she corrects; everything else she confirms."""


@dataclass(frozen=True)
class SentBack:
    """A form that was answered, and the next one.

    Attributes:
        answers: what came back, by item.
        kept: the items that the hub keeps.
        landed: records that the next reading of the portal landed.
        before: the item that she corrected, as she was shown it; None where it was asked.
        after: the same on her next form.
    """

    answers: dict[str, dict[str, Any]]
    kept: list[str]
    landed: int
    before: dict[str, Any] | None
    after: dict[str, Any]

    def figures(self) -> dict[str, int]:
        """Count what came back, by kind, what was kept and what landed."""
        kinds = [answer["kind"] for answer in self.answers.values()]
        counted = {kind: kinds.count(kind) for kind in ("confirmed", "corrected", "answered")}
        return {**counted, "kept": len(self.kept), "landed": self.landed}


def send_back(stage: Stage, agency: Agency, story: Story) -> SentBack:
    """Answer one of her forms, let the next sync and reconcile have it, and open the form again.

    Does as `oncehub sync portal.submissions` and `oncehub reconcile` do.

    Raises:
        DemoFailed: when her next form does not show what she said, as the portal's word of today.
    """
    search = {"person.personal_id": _personal_id(story)}
    form = paced(agency.client.prefill, CODE, search)
    answers = _answers(form)
    taken = paced(agency.client.submit, CODE, form, search, answers, dossier="demo-1")
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
    # What is asked beside that is the portal's own: which household to join, who moves too.
    answers |= {name: {"kind": "none"} for name in form["missing_items"]}
    shown = form["items"].get(ITEM)
    if shown is None:
        return answers | {ITEM: {"kind": "answered", "value": "+84912000001"}}
    last = (int(shown["value"][-1]) + 1) % 10
    return answers | {ITEM: {"kind": "corrected", "value": f"{shown['value'][:-1]}{last}"}}


def _require_shown(after: dict[str, Any], said: str) -> None:
    if (after.get("value"), after.get("source")) != (said, "portal"):
        raise DemoFailed(f"her next form does not show the {ITEM} that she gave, on the portal's word")
    if datetime.fromisoformat(after["as_of"]).astimezone(UTC).date() != datetime.now(UTC).date():
        raise DemoFailed(f"her next form does not show the {ITEM} as of today")

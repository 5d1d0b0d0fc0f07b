"""The citizen's story as it is printed."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group
from rich.table import Table

from demo.results.summary import titled
from demo.story.places import Places
from demo.story.send_back import CODE, ITEM, SentBack
from demo.story.story import Story

_REASONS = {
    "citizen_provides": "only the citizen knows",
    "not_known": "no source states it",
    "conflicting": "sources disagree",
    "too_old": "stated too long ago",
    "not_allowed": "outside the agreement",
    "needs_consent": "the citizen has not consented",
    "relative_unknown": "the relative is not known",
    "relative_not_living": "the relative is not living",
}


def show_story(console: Console, story: Story, sent_back: SentBack, places: Places) -> None:
    """Print the forms with what is filled and what is asked, the feed line, the log and what came back."""
    console.rule("one citizen's story")
    console.print(
        f"A woman with records in {', '.join(story.sources)}. On that day the register changed her "
        f"{', '.join(story.changed)}.",
        highlight=False,
    )
    for form in story.forms:
        console.print(_filled(form, places))
        console.print(_asked(form))
    console.print(_feed_line(story.feed_line, places))
    console.print(_access_log(story))
    console.print(_sent_back(sent_back, places))
    console.print(_next_form(sent_back, places))


def _filled(form: dict[str, Any], places: Places) -> Group:
    procedure = form["procedure"]
    table = Table()
    for column in ("item", "value", "source", "as of", "confidence", ""):
        table.add_column(column)
    for item in form["items"].values():
        marks = [name for name in ("confirm", "disputed") if item.get(name)]
        table.add_row(
            item["title"],
            _text(item["value"], places, item["labels"]),
            item["source"],
            _day(item["as_of"]),
            item["confidence"]["level"],
            ", ".join(marks),
        )
    for paper in form["papers"].values():
        decided = _day(paper["decided_at"] or "")
        table.add_row(paper["title"], f"{paper['dossier']} {paper['file']}", "portal", decided)
    return titled(f"{procedure['id']}  {procedure['name']}: filled", table)


def _asked(form: dict[str, Any]) -> Group:
    table = Table()
    for column in ("item", "why"):
        table.add_column(column)
    for item in form["missing_items"].values():
        table.add_row(item["title"], _REASONS[item["reason"]])
    return titled(f"{form['procedure']['id']}: still asked", table)


def _feed_line(line: dict[str, Any], places: Places) -> Group:
    table = Table(show_header=False)
    table.add_row("sequence", str(line["sequence"]))
    table.add_row("person (pseudonym)", line["person"])
    table.add_row("kind", line["kind"])
    for name in line["changed"]:
        table.add_row(name, _text(line["values"][name], places))
    table.add_row("as of", line["as_of"])
    return titled("the line in the agency's feed", table)


def _access_log(story: Story) -> Group:
    table = Table()
    for column in ("at (UTC)", "agency", "purpose", "legal basis", "procedure", "attributes", "outcome"):
        table.add_column(column)
    for written in story.access_log:
        entry = written.entry
        table.add_row(
            written.at.strftime("%Y-%m-%d %H:%M:%S"),
            entry.agency,
            entry.purpose,
            entry.legal_basis,
            entry.procedure,
            str(len(entry.attributes)),
            entry.outcome,
        )
    return titled("the access log of these look-ups", table)


def _sent_back(sent_back: SentBack, places: Places) -> Group:
    table = Table()
    for column in ("item", "what she said", "value", ""):
        table.add_column(column)
    for name, answer in sent_back.answers.items():
        value = answer.get("value")
        said = (name, answer["kind"], "" if value is None else _text(value, places))
        table.add_row(*said, "kept" if name in sent_back.kept else "")
    return titled(f"{CODE}: what she sent back", table)


def _next_form(sent_back: SentBack, places: Places) -> Group:
    table = Table()
    for column in (ITEM, "value", "source", "as of"):
        table.add_column(column)
    for when, item in (("before", sent_back.before), ("on her next form", sent_back.after)):
        shown = []
        if item is not None:
            value = _text(item["value"], places, item["labels"])
            shown = [value, item["source"], _day(item["as_of"])]
        table.add_row(when, *shown)
    return titled("after the next reading of the portal", table)


def _text(value: Any, places: Places, labels: Any = None) -> str:
    """Show a value in one line: a code by its label, an address with its commune's name, a list by member."""
    if isinstance(value, list):
        return "; ".join(_member(*each) for each in zip(value, labels or [{}] * len(value), strict=True))
    if isinstance(value, str) and labels:
        return f"{labels['vi']} ({value})"
    if not isinstance(value, dict):
        return str(value)
    if "unit" in value:
        return ", ".join(filter(None, (value["detail"], places.name(value["unit"], value["edition"]))))
    return ", ".join(str(part) for part in value.values() if part is not None)


def _member(member: dict[str, str], labels: dict[str, dict[str, str]]) -> str:
    return ", ".join(labels[name]["vi"] if name in labels else value for name, value in member.items())


def _day(moment: str) -> str:
    return moment[:10]

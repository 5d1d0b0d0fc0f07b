"""Prints one citizen's story."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from demo.results.summary import titled
from demo.story.send_back import CODE, ITEM, SentBack
from demo.story.story import Story
from oncehub.share.people.labels import Labels

_REASONS = {
    "citizen_provides": "only the citizen knows",
    "not_known": "no source has a value",
    "conflicting": "sources disagree",
    "too_old": "the value is too old",
    "not_allowed": "outside the agreement",
    "needs_consent": "the citizen has not consented",
    "relative_unknown": "the relative is not known",
    "relative_not_living": "the relative is not living",
}


def show_story(console: Console, story: Story, sent_back: SentBack, labels: Labels) -> None:
    """Print the forms with filled and missing items, the feed entry, the log and the submitted form."""
    console.rule("one citizen's story")
    console.print(
        f"A woman with records in {', '.join(story.sources)}. On the simulated day the population register "
        f"changed her {', '.join(story.changed)}.",
        highlight=False,
    )
    for form in story.forms:
        console.print(_filled(form))
        console.print(_missing(form))
    console.print(_feed_entry(story.feed_entry, labels))
    console.print(_access_log(story))
    console.print(_sent_back(sent_back))
    console.print(_next_form(sent_back))


def _filled(form: dict[str, Any]) -> Group:
    procedure = form["procedure"]
    table = Table()
    for column in ("item", "value", "source", "as of", "confidence", "check"):
        table.add_column(column, overflow="fold")
    for item in form["items"].values():
        marks = [name for name in ("confirm", "disputed") if item.get(name)]
        table.add_row(
            item["title"],
            _text(item["value"], item["labels"]),
            item["source"],
            _day(item["as_of"]),
            item["confidence"]["level"],
            ", ".join(marks),
        )
    for paper in form["papers"].values():
        decided = _day(paper["decided_at"] or "")
        table.add_row(paper["title"], f"{paper['dossier']} {paper['file']}", "portal", decided)
    return titled(f"{procedure['id']}  {procedure['name']}: filled", table)


def _missing(form: dict[str, Any]) -> Group:
    table = Table()
    for column in ("item", "reason"):
        table.add_column(column, overflow="fold")
    for item in form["missing_items"].values():
        table.add_row(item["title"], _REASONS[item["reason"]])
    return titled(f"{form['procedure']['id']}: missing items", table)


def _feed_entry(entry: dict[str, Any], labels: Labels) -> Group:
    table = Table(show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("sequence", str(entry["sequence"]))
    table.add_row("kind", entry["kind"])
    for name in entry["changed"]:
        value = entry["values"][name]
        table.add_row(name, _text(value, labels.of(name, value)))
    table.add_row("as of", entry["as_of"])
    # Above the table it fits into a line, and can be copied.
    return Group(
        Text("\nthe entry in the agency's feed, of the pseudonym", style="bold"), entry["person"], table
    )


def _access_log(story: Story) -> Group:
    entries = [written.entry for written in story.access_log]
    shared = Table(show_header=False)
    shared.add_column()
    shared.add_column(overflow="fold")
    for title, values in (
        ("agency", {entry.agency for entry in entries}),
        ("purpose", {entry.purpose for entry in entries}),
        ("legal basis", {entry.legal_basis for entry in entries}),
    ):
        shared.add_row(title, "; ".join(sorted(values)))
    table = Table()
    for column in ("at (UTC)", "procedure", "attributes", "outcome"):
        table.add_column(column)
    for written in story.access_log:
        entry = written.entry
        at = written.at.strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(at, entry.procedure, str(len(entry.attributes)), entry.outcome)
    return titled("the access log of these look-ups", Group(shared, table))


def _sent_back(sent_back: SentBack) -> Group:
    table = Table()
    for column in ("item", "answer", "value", "by the hub"):
        table.add_column(column, overflow="fold")
    for name, answer in sent_back.answers.items():
        value = answer.get("value")
        shown = "" if value is None else str(value)
        table.add_row(name, answer["kind"], shown, "kept" if name in sent_back.kept else "")
    return titled(f"{CODE}: the form that she submitted", table)


def _next_form(sent_back: SentBack) -> Group:
    table = Table()
    for column in (ITEM, "value", "source", "as of"):
        table.add_column(column, overflow="fold")
    for when, item in (("on this form", sent_back.before), ("on her next form", sent_back.after)):
        shown = []
        if item is not None:
            shown = [_text(item["value"], item["labels"]), item["source"], _day(item["as_of"])]
        table.add_row(when, *shown)
    return titled("after the next sync of the portal", table)


def _text(value: Any, labels: Any) -> str:
    """Show a value in one line: a code by its label, an address with its units, a list by member."""
    if isinstance(value, list):
        return "; ".join(_member(*each) for each in zip(value, labels or [{}] * len(value), strict=True))
    if isinstance(value, str) and labels:
        return f"{labels['vi']} ({value})"
    if not isinstance(value, dict):
        return str(value)
    if "unit" in value:
        return ", ".join(filter(None, (value["detail"], labels["vi"] if labels else value["unit"])))
    return ", ".join(str(part) for part in value.values() if part is not None)


def _member(member: dict[str, str], labels: dict[str, dict[str, str]]) -> str:
    return ", ".join(labels[name]["vi"] if name in labels else value for name, value in member.items())


def _day(moment: str) -> str:
    return moment[:10]

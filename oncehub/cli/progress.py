"""How far a reading is: records, records a second, and what is left where that is known."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from oncehub.intake import RunReport


class _Pace(ProgressColumn):
    """Records a second, and the seconds left where the source declares how many there are."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        text = f"{speed:,.0f}/s" if speed else ""
        if task.total and not task.finished and task.time_remaining is not None:
            text += f", {task.total - task.completed:,.0f} left, {task.time_remaining:,.0f} s"
        return Text(text)


def reading_progress() -> Progress:
    """A display on stderr, so that stdout stays for what a script reads."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} records"),
        _Pace(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


class RunsShown:
    """Hears the running totals and shows each run on a line of its own."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[int, TaskID] = {}

    def __call__(self, run: RunReport) -> None:
        """Bring the run's line up to date."""
        if run.run_id not in self._tasks:
            self._tasks[run.run_id] = self._progress.add_task(f"{run.source}.{run.stream}", total=None)
        total = run.read if run.done else run.total
        self._progress.update(self._tasks[run.run_id], completed=run.read, total=total)

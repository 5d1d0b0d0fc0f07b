"""What the demo says when a component does not do its part."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from demo.failure import DemoFailed
from demo.processes.processes import Component, Components


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


@pytest.fixture
def broken(tmp_path: Path) -> tuple[Components, Component]:
    components = Components(tmp_path / "log")
    component = components.start("tax office", python("print('port in use'); raise SystemExit(3)"), {})
    component.started.process.wait()
    return components, component


def test_a_dead_component_is_named_with_the_end_of_its_log(broken: tuple[Components, Component]) -> None:
    components, component = broken
    with pytest.raises(DemoFailed) as caught:
        components.require_alive()
    assert "tax office died with status 3" in str(caught.value)
    assert "port in use" in str(caught.value)
    assert str(component.started.log) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_step_that_fails_is_named(broken: tuple[Components, Component]) -> None:
    components, component = broken
    with pytest.raises(DemoFailed, match="tax office failed with status 3"):
        components.finish(component)


def test_a_step_that_ends_well_is_watched_no_more(tmp_path: Path) -> None:
    components = Components(tmp_path / "log")
    components.finish(components.start("migration", python(""), {}))
    components.require_alive()


def test_all_components_end_the_first_started_last(tmp_path: Path) -> None:
    # Each writes its end into one file; the provider must outlive its user.
    ends = tmp_path / "ends"
    program = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        f"    open({str(ends)!r}, 'a').write(sys.argv[1] + '\\n')\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    with Components(tmp_path / "log") as components:
        for name in ("provider", "user"):
            component = components.start(name, [*python(program), name], {}, grace=30)
            while "ready" not in component.started.log.read_text():
                components.require_alive()
    assert ends.read_text().split() == ["user", "provider"]

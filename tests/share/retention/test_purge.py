"""What is purged when its time has come, what never is, and the proof that is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import psycopg2
import pytest
import yaml
from hypothesis import given, strategies
from hypothesis import settings as configured
from joserfc import jws
from psycopg2.extras import Json

from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.audit.signing.keys import signing_key
from oncehub.audit.signing.purge_proofs import find_tampered_proof
from oncehub.config.catalogue import load_rules
from oncehub.config.operation import RetentionRules
from oncehub.encryption.secrets import create_key
from oncehub.errors import ConfigError, RunBusy, StoreError
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.clients.clients import add_client, new_client_key
from oncehub.share.delivery.consumer_offsets import note_page
from oncehub.share.delivery.gap_free_sequence import Start
from oncehub.share.feeds.entries import publish
from oncehub.share.forms.submissions import LONGEST_OPEN
from oncehub.share.retention import purge as purging
from oncehub.share.retention.purge import purge, retention_status
from oncehub.store.connection import Connection, connect, locked
from tests.api.asking import read_changes

NOW = datetime(2040, 1, 1, tzinfo=UTC)
OLD, NEW = NOW - timedelta(days=3653), NOW - timedelta(days=1)
SENTINEL = "Sentinel-Purged"
RUN = (
    "insert into intake.run (source, stream, mode, state, finished_at) "
    "values ('tax', 'registrations', 'full', 'succeeded', %s) returning run_id"
)


class Kept:
    """A hub's database, into which a row of each kind is put at a moment, or for good."""

    def __init__(self, settings: Settings, database: Connection) -> None:
        self.settings = settings
        self.database = database
        self.count = 0
        self.run(RUN, NEW)

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.database, self.database.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def put(self, kind: str, ended: datetime | None) -> None:
        self.count += 1
        name = f"{SENTINEL}-{self.count}"
        getattr(self, f"_{kind}")(name, ended)

    def _rejected_payloads(self, name: str, ended: datetime | None) -> None:
        self.run(
            "insert into intake.rejected (run_id, source, stream, source_key, kind, stage, reason, path, "
            "digest, key_id, payload, resolved_at) "
            "select max(run_id), 'tax', 'registrations', %s, 'records', 'contract', 'r', 'p', "
            "%s, 'key', '', %s "
            "from intake.run",
            name,
            name.encode(),
            ended,
        )

    def _deleted_records(self, name: str, ended: datetime | None) -> None:
        self.run(
            "insert into record.person (source, stream, source_key, full_name, stated_at, deleted_at) "
            "values ('tax', 'registrations', %s, %s, %s, %s)",
            name,
            name,
            OLD,
            ended,
        )

    def _person_versions(self, name: str, ended: datetime | None) -> None:
        if ended:
            self.run(
                "insert into truth.person_version values (gen_random_uuid(), %s, %s, %s, '{}')",
                OLD - timedelta(days=1),
                ended,
                Json({"full_name": name}),
            )

    def _closed_discrepancies(self, name: str, ended: datetime | None) -> None:
        self.run(
            "insert into truth.discrepancy (person_key, attribute, source, stream, source_key, kind, "
            "source_value, golden_value, stated_at, closed_at, closed_because) "
            "values (gen_random_uuid(), 'phone', 'customs', 'declarants', "
            "%s, 'conflict', %s, '\"x\"', %s, %s, %s)",
            name,
            Json(name),
            OLD,
            ended,
            ended and "corrected",
        )

    def _closed_case_evidence(self, name: str, ended: datetime | None) -> None:
        self.run(
            "insert into truth.case_file "
            "(kind, source, stream, source_key, evidence, closed_at, closed_because) "
            "values ('wrong_person', 'tax', 'registrations', %s, %s, %s, %s)",
            str(self.count),
            Json({"name": name}),
            ended,
            ended and "settled",
        )

    def _used_assertions(self, name: str, ended: datetime | None) -> None:
        self.run("insert into share.client (client_id, agreement) values (%s, 'none')", name)
        self.run("insert into share.assertion values (%s, 'jti', %s)", name, ended or NOW + timedelta(days=1))
        self.run("update share.client set revoked_at = now() where client_id = %s", name)

    def _finished_runs(self, _: str, ended: datetime | None) -> None:
        if ended:
            self.run(RUN.replace("'tax'", "'customs'"), ended)
            self.run(RUN.replace("'tax'", "'customs'"), NEW)

    def _filled_forms(self, name: str, ended: datetime | None) -> None:
        self.client("portal", "portal-residence")
        if ended:
            self.form(name, ended)

    def _landed_submissions(self, name: str, ended: datetime | None) -> None:
        self.client("portal", "portal-residence")
        if ended:
            self.submission(self.form(name, NEW), name, ended)

    def _settled_notices(self, name: str, ended: datetime | None) -> None:
        self.client("tax", "tax-registration")
        self.notice("tax", name, ended)
        self.run(
            "insert into share.consumer_offset (feed, kind, sequence, client_id) "
            "values ('corrections.tax', 'acknowledged', %s, 'tax')",
            self.count,
        )

    def _unacknowledged_notices(self, name: str, ended: datetime | None) -> None:
        self.notice("health", name, ended)

    def client(self, name: str, agreement: str) -> None:
        self.run("insert into share.client values (%s, %s) on conflict do nothing", name, agreement)

    def form(self, name: str, filled: datetime) -> str:
        ((form,),) = self.run(
            "insert into share.prefill values (gen_random_uuid(), 'portal', 'portal-residence', '1.004222', "
            "%s, '2026-01-01', '{}', '{}', '{}', %s) returning request_id",
            name,
            filled,
        )
        return str(form)

    def submission(self, form: str, name: str, submitted: datetime) -> None:
        self.run(
            "insert into share.submission (request_id, dossier, digest, kept, submitted_at) "
            "values (%s, %s, '', '{}', %s)",
            form,
            name,
            submitted,
        )

    def notice(self, source: str, name: str, ended: datetime | None) -> None:
        """One that closed; without a moment, one that has been open for long."""
        self.run(
            "insert into share.correction_feed (source, attributes) values (%s, '{}') on conflict do nothing",
            source,
        )
        self.run(
            "insert into share.notice (source, sequence, notice, discrepancy_id, change, attribute, line, "
            "published_at) values (%s, %s, %s, %s, %s, 'person.phone', %s, %s)",
            source,
            *[self.count] * 3,
            "closed" if ended else "opened",
            Json({"kind": "conflict", "stated": name}),
            ended or OLD,
        )

    def left(self) -> dict[str, int]:
        """How much of each kind there is, beside what every test has."""
        counted = {
            "rejected_payloads": "intake.rejected",
            "deleted_records": "record.person",
            "person_versions": "truth.person_version",
            "closed_discrepancies": "truth.discrepancy",
            "closed_case_evidence": "truth.case_file where evidence <> '{}'",
            "filled_forms": f"share.prefill where answered_at <> '{NEW}'",
            "landed_submissions": "share.submission",
            "settled_notices": "share.notice where source = 'tax' and not line ? 'purged'",
            "unacknowledged_notices": "share.notice where source = 'health' and not line ? 'purged'",
            "used_assertions": "share.assertion",
            "finished_runs": "intake.run where source = 'customs'",
        }
        return {kind: self.run(f"select count(*) from {what}")[0][0] for kind, what in counted.items()}

    def proofs(self) -> list[dict[str, Any]]:
        return [content for (content,) in self.run("select content from audit.purge order by number")]

    def signed(self) -> int:
        return write_checkpoints(self.settings, self.database).proofs

    def bent(self) -> str | None:
        own = signing_key(self.settings.home)
        with self.database:
            return find_tampered_proof(self.database, {own.id: own.private})


KINDS = [
    "rejected_payloads",
    "deleted_records",
    "person_versions",
    "closed_discrepancies",
    "closed_case_evidence",
    "filled_forms",
    "landed_submissions",
    "settled_notices",
    "unacknowledged_notices",
    "used_assertions",
    "finished_runs",
]


@pytest.fixture
def kept(settings: Settings, database: Connection) -> Kept:
    return Kept(settings, database)


def test_what_is_due_goes_what_is_not_stays_and_what_is_open_never_goes(kept: Kept) -> None:
    for kind in KINDS:
        for ended in (OLD, OLD, NEW, None):
            kept.put(kind, ended)
    due = {each.kind: each.due for each in retention_status(kept.settings, kept.database, NOW)}
    assert due == dict.fromkeys(KINDS, 2) | {"superseded_feed_entries": 0}
    before = kept.left()
    report = purge(kept.settings, kept.database, now=NOW)
    assert report.removed == dict.fromkeys(KINDS, 2)
    assert kept.left() == {kind: count - 2 for kind, count in before.items()}
    assert purge(kept.settings, kept.database, now=NOW).removed == {}


def test_each_batch_leaves_a_proof_of_kind_rule_horizon_and_count_without_people(kept: Kept) -> None:
    for _ in range(3):
        kept.put("deleted_records", OLD)
    report = purge(kept.settings, kept.database, now=NOW, size=2)
    first, second = kept.proofs()
    assert (first["removed"], second["removed"], report.batches) == (2, 1, 2)
    assert {first["run"], second["run"]} == {report.run}
    assert (first["kind"], first["table"], first["keep_days"]) == (
        "deleted_records",
        "record.person",
        1826.25,
    )
    assert first["horizon"] == (NOW - timedelta(days=1826.25)).isoformat()
    assert first["because"]
    assert SENTINEL not in json.dumps(kept.proofs())
    assert (kept.signed(), kept.signed(), kept.bent()) == (2, 0, None)
    with kept.database, kept.database.cursor() as cursor:
        cursor.execute("select statement from audit.purge_signature order by number")
        statements = [jws.extract_compact(text.encode()).payload for (text,) in cursor.fetchall()]
    assert [orjson.loads(each)["digest"] for each in statements] == [first["digest"], second["digest"]]


@pytest.mark.parametrize(
    ("bend", "told"),
    [
        ("update audit.purge set removed = 1 where number = 2", "proof 2 differs from the columns"),
        ("delete from audit.purge where number = 1", "proof 1 is gone"),
        ("delete from audit.purge where number = 2", "proof 2 is gone"),
        ("delete from audit.purge where number = 3", "proof 3 is gone"),
        (
            'update audit.purge set content = content || \'{"digest": ""}\' where number = 2',
            "proof 2 differs",
        ),
        ("update audit.purge_signature set statement = 'a.b.c' where number = 3", "proof 3 is not signed"),
        ("delete from audit.purge_signature where number = 2", "the signature of proof 2 is gone"),
        (
            "update audit.purge_signature a set statement = b.statement from audit.purge_signature b "
            "where a.number = 3 and b.number = 2",
            "proof 3 does not follow",
        ),
    ],
)
def test_a_proof_that_was_bent_past_the_database_is_named(kept: Kept, bend: str, told: str) -> None:
    for _ in range(6):
        kept.put("deleted_records", OLD)
    purge(kept.settings, kept.database, now=NOW, size=2)
    assert kept.signed() == 3
    with pytest.raises(psycopg2.errors.RaiseException):
        kept.run(bend)
    kept.run("set session_replication_role = replica")
    kept.run(bend)
    kept.run("reset session_replication_role")
    assert str(kept.bent()).startswith(told)


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(days=-1)])
def test_a_machine_whose_clock_jumps_purges_nothing_and_says_so(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    class Jumped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + jump

    keep = load_rules(kept.settings, "retention", RetentionRules).kinds["deleted_records"].keep
    # Due within the day by which the clock is ahead.
    kept.put("deleted_records", datetime.now(UTC) - keep + timedelta(hours=12))
    monkeypatch.setattr(purging, "datetime", Jumped)
    with pytest.raises(StoreError, match=r"this machine's clock says 20.* and the database's 20"):
        purge(kept.settings, kept.database)
    monkeypatch.undo()
    assert purge(kept.settings, kept.database).removed == {}


def test_a_purge_that_was_dated_ahead_of_the_clock_is_told_with_what_went(
    kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    kept.put("deleted_records", OLD)
    purge(kept.settings, kept.database, now=NOW)
    kept.run("alter table audit.purge disable trigger purge_insert_only")
    kept.run("update audit.purge set purged_at = now() + interval '1 day'")
    with caplog.at_level("WARNING"):
        purge(kept.settings, kept.database)
    assert "ahead of the clock: 1 rows may have gone too early" in caplog.text


def test_proofs_of_another_hub_are_not_trusted(kept: Kept, tmp_path: Path) -> None:
    kept.put("deleted_records", OLD)
    purge(kept.settings, kept.database, now=NOW)
    kept.signed()
    create_key("signing", tmp_path / "stranger")
    stranger = signing_key(tmp_path / "stranger")
    with kept.database:
        assert find_tampered_proof(kept.database, {stranger.id: stranger.private}) == (
            "proof 1 is not signed by a trusted key"
        )


@configured(max_examples=configured.default.max_examples // 4)
@given(cut=strategies.integers(0, 8), size=strategies.integers(1, 3))
def test_a_purge_killed_between_any_two_statements_has_a_proof_of_all_that_is_gone(
    kept: Kept, cut: int, size: int
) -> None:
    for kind in ("deleted_records", "person_versions"):
        for _ in range(3):
            kept.put(kind, OLD)
    before, proven = kept.left(), sum(each["removed"] for each in kept.proofs())
    calls = 0

    def killed(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > cut:
            raise KeyboardInterrupt
        written(*arguments)

    written, purging.write_proof = purging.write_proof, killed  # type: ignore[assignment]
    try:
        purge(kept.settings, kept.database, now=NOW, size=size)
    except KeyboardInterrupt:
        pass
    finally:
        purging.write_proof = written
    gone = sum(before.values()) - sum(kept.left().values())
    assert sum(each["removed"] for each in kept.proofs()) - proven == gone
    purge(kept.settings, kept.database, now=NOW, size=size)
    assert (kept.left()["deleted_records"], kept.left()["person_versions"]) == (0, 0)
    kept.signed()
    assert kept.bent() is None


def test_a_deleted_record_that_is_linked_or_not_yet_reconciled_stays(kept: Kept) -> None:
    kept.put("deleted_records", OLD)
    kept.put("deleted_records", OLD)
    kept.run(
        "insert into intake.dirty (source, stream, source_key) values ('tax', 'registrations', %s)",
        f"{SENTINEL}-1",
    )
    kept.run(
        "insert into truth.link (source, stream, source_key, person_key, method) "
        "values ('tax', 'registrations', %s, gen_random_uuid(), 'personal_id')",
        f"{SENTINEL}-2",
    )
    assert purge(kept.settings, kept.database, now=NOW).removed == {}


def test_a_closed_discrepancy_stays_until_its_source_was_notified(kept: Kept) -> None:
    kept.put("closed_discrepancies", OLD)
    kept.run("insert into share.correction_feed (source, attributes) values ('customs', '{person.phone}')")
    assert purge(kept.settings, kept.database, now=NOW).removed == {}
    kept.run("update share.correction_feed set published_below = '9999999'")
    assert purge(kept.settings, kept.database, now=NOW).removed == {"closed_discrepancies": 1}


def test_a_record_that_others_still_reference_keeps_its_run(kept: Kept) -> None:
    kept.put("finished_runs", OLD)
    kept.run(
        "insert into intake.rejected (run_id, source, stream, kind, stage, reason, path, digest, key_id, "
        "payload) "
        "select min(run_id), 'customs', 's', 'records', 'contract', 'r', 'p', '', 'key', '' from intake.run "
        "where source = 'customs'"
    )
    assert purge(kept.settings, kept.database, now=NOW).removed == {}


def test_closed_reconcile_runs_and_releases_go_but_not_the_balance_that_the_next_opens_with(
    kept: Kept,
) -> None:
    kept.run(
        "insert into truth.run (closed_at) values (%s), (%s); "
        "insert into truth.run_balance select run_id, 'record', 's', 'k', 0, 1, 0, 0, 1, 0 from truth.run; "
        "insert into truth.run_transaction select run_id::text::xid8, run_id from truth.run; "
        "insert into share.release (feed, first_sequence, last_sequence, runs, released_at) "
        "values ('residence', 1, 2, '{1}', %s)",
        *(OLD, OLD, OLD),
    )
    assert purge(kept.settings, kept.database, now=NOW).removed == {"finished_runs": 2}
    for table in ("run", "run_balance", "run_transaction"):
        assert kept.run(f"select array_agg(run_id) = array[max(run_id)] from truth.{table}") == [(True,)]


def test_a_line_loses_its_values_once_every_client_keeps_what_replaced_it(
    editable: Settings, database: Connection, believe: Callable[..., str], tmp_path: Path
) -> None:
    an = believe(personal_id="001184000001", full_name=f"{SENTINEL} An")
    believe(personal_id="001084000002", full_name="Trần Văn Thử")
    publish(editable, "residence", database)
    with database, database.cursor() as cursor:
        cursor.execute("update truth.person set full_name = 'Nguyễn Thị An' where person_key = %s", (an,))
        cursor.execute(
            "insert into share.change (person_key, kind, attributes) values (%s, 'changed', '{full_name}')",
            (an,),
        )
    publish(editable, "residence", database)
    agreement = load_agreements(editable)["portal-residence"]
    for client in ("quick", "slow"):
        add_client(database, client, agreement.name, new_client_key(tmp_path / f"{client}.pem"))

    def acknowledge(client: str, upto: int) -> dict[str, int]:
        with database:
            note_page(database, "residence", client, 0, 3)
            note_page(database, "residence", client, upto, 3)
        removed = purge(editable, database, now=NOW).removed
        return {kind: count for kind, count in removed.items() if kind != "finished_runs"}

    def told() -> list[dict[str, Any]]:
        with database:
            return read_changes(database, agreement, Start(0, 10), b"k" * 32).lines

    before = told()
    assert acknowledge("quick", 3) == {}
    assert acknowledge("slow", 2) == {}
    assert acknowledge("slow", 3) == {"superseded_feed_entries": 1}
    after = told()
    assert [line["sequence"] for line in after] == [1, 2, 3]
    emptied = next(line for line in after if not line["values"])
    assert emptied["person"] == after[2]["person"]
    del before[emptied["sequence"] - 1], after[emptied["sequence"] - 1]
    assert after == before
    assert SENTINEL not in str(after)


def test_a_form_stays_with_what_came_back_for_it_and_that_until_it_has_landed(kept: Kept) -> None:
    kept.client("portal", "portal-residence")
    kept.submission(kept.form(SENTINEL, OLD), SENTINEL, OLD)
    kept.run(
        "insert into intake.submission (source, stream, token, key_id, payload, submitted_at) "
        "values ('portal', 'submissions', gen_random_uuid(), 'k', '', %s)",
        OLD,
    )
    assert purge(kept.settings, kept.database, now=NOW).removed == {}
    kept.run("update intake.submission set submitted_at = %s", NEW)
    assert purge(kept.settings, kept.database, now=NOW).removed == {
        "landed_submissions": 1,
        "filled_forms": 1,
    }


def test_a_notice_of_another_source_under_the_same_number_settles_nothing(kept: Kept) -> None:
    kept.notice("tax", SENTINEL, None)
    kept.notice("health", SENTINEL, OLD)
    kept.run("update share.notice set sequence = 9 where source = 'health'")
    kept.client("tax", "tax-registration")
    kept.run("insert into share.consumer_offset values ('corrections.tax', 'acknowledged', 9, 'tax')")
    assert purge(kept.settings, kept.database, now=NOW).removed == {"unacknowledged_notices": 1}


def test_two_do_not_purge_at_once(kept: Kept) -> None:
    assert kept.settings.database_url
    other = connect(kept.settings.database_url)
    with locked(other, "purge"), pytest.raises(RunBusy):
        purge(kept.settings, kept.database, now=NOW)
    other.close()


def test_a_kind_without_a_rule_or_kept_too_short_is_refused(settings: Settings, tmp_path: Path) -> None:
    rules = yaml.safe_load((settings.mappings / "rules" / "retention.yaml").read_text("utf-8"))
    path = tmp_path / "retention.yaml"

    def load(**changed: Any) -> None:
        kinds = {name: rule for name, rule in (rules["kinds"] | changed).items() if rule}
        path.write_text(yaml.safe_dump({"kinds": kinds}, allow_unicode=True), "utf-8")
        RetentionRules.load(path)

    load()
    with pytest.raises(ConfigError, match="finished_runs has no rule"):
        load(finished_runs=None)
    with pytest.raises(ConfigError, match="for a shorter time than kinds"):
        load(deleted_records={"keep": "1y", "because": "b"})
    # A form may be answered for a day at most, so that no rule can be shorter.
    load(filled_forms={"keep": "1d", "because": "b"})
    assert timedelta(days=1) >= LONGEST_OPEN
    with pytest.raises(ConfigError, match="write an age in days or years"):
        load(filled_forms={"keep": "0d", "because": "b"})
    with pytest.raises(ConfigError, match="unacknowledged_notices is kept for a shorter time"):
        load(unacknowledged_notices={"keep": "89d", "because": "b"})
    with pytest.raises(ConfigError, match="access_log"):
        load(access_log={"keep": "1y", "because": "b"})

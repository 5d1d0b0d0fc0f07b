from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from oncehub.audit.log.entries import DisclosedLine, Entry, page, write
from oncehub.audit.log.pseudonyms import person_pseudonym, pseudonym_key
from oncehub.audit.tlog.notes import Checkpoint, Note, NoteKey, VerifierKey
from oncehub.initialise import initialise
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.migrate import compare_routines, differing_routines

from .conftest import Command

SOMEBODY = "f" * 64

_FOUR = Checkpoint("oncehub.local/access-log", 4, bytes(32)).sign(NoteKey.of("a", bytes(32)))
ANCHOR_4 = json.dumps({"checkpoint": 4, "note": str(_FOUR)}).encode() + b"\n"


def test_a_log_is_signed_archived_and_verified_and_alterations_are_named(
    oncehub: Command, database: Connection, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    with database:
        for _ in range(3):
            write(database, entry(person=SOMEBODY))
    assert json.loads(oncehub("audit", "checkpoint", "--json").stdout)["lines"] == 3
    assert json.loads(oncehub("audit", "status", "--json").stdout)["overdue"] is False
    genuine = oncehub("audit", "verify")
    assert genuine.returncode == 0
    assert genuine.stdout.endswith("0 entries are not signed yet\nno tampering found\n")

    archives, trust = tmp_path / "archives", tmp_path / "keys.json"
    assert json.loads(oncehub("audit", "export", str(archives), "--with-lines", "--json").stdout)["size"] == 3
    trust.write_text(oncehub("audit", "keys").stdout, "utf-8")
    elsewhere = ("--archive", str(archives), "--trust", str(trust))
    assert oncehub("audit", "verify", *elsewhere).returncode == 0
    request = str(entry().request_id)
    (written, *_) = oncehub("audit", "proof", request, "--to", str(tmp_path)).stdout.splitlines()
    proven = oncehub("audit", "verify", "--proof", written, "--trust", str(trust))
    assert (proven.returncode, request in proven.stdout, "of which 3 lines were" in proven.stdout) == (
        0,
        True,
        True,
    )
    Path(written).write_text(Path(written).read_text("utf-8").replace("index 0", "index 1"), "utf-8")
    forged = oncehub("audit", "verify", "--proof", written, "--trust", str(trust))
    assert (forged.returncode, "forged" in forged.stdout) == (1, True)

    with database, database.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("update audit.entry set agency = 'G02' where entry_id = 2")
    bent = oncehub("audit", "verify")
    assert bent.returncode == 1
    assert "changed: checkpoint 1, line 2, entry 2: the line does not say what was signed" in bent.stdout
    (finding,) = json.loads(oncehub("audit", "verify", "--json").stdout)["findings"]
    assert (finding["what"], finding["entry_id"]) == ("changed", 2)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda _: None, "there is no such file of anchors"),
        (lambda _: b"", "holds no anchored checkpoint"),
        (lambda text: text[: text.index(b"\n") + 1], "the anchors lack checkpoint"),
        (lambda text: text[:-1], "the anchors lack checkpoint 3"),
        (lambda text: text[text.index(b"\n") + 1 :], "lacks checkpoint 1, though it goes on to 3"),
        (lambda text: text.replace(b"access-log\\n", b"access-log/2\\n"), "is not the one that was anchored"),
        (lambda text: text + b"nonsense\n", ":4: is no anchor of this log"),
        (lambda text: text + ANCHOR_4, "the checkpoints from here to 4 were made"),
    ],
)
@pytest.mark.parametrize("archived", [False, True])
def test_an_anchor_that_is_not_whole_fails_a_verification_unless_it_is_waived_aloud(
    oncehub: Command,
    database: Connection,
    entry: Callable[..., Entry],
    tmp_path: Path,
    spoil: Callable[[bytes], bytes | None],
    said: str,
    archived: bool,
) -> None:
    for _ in range(3):
        with database:
            write(database, entry(person=SOMEBODY))
        oncehub("audit", "checkpoint")
    given = ("--archive", str(tmp_path / "archives")) if archived else ()
    anchor = tmp_path / "heads.jsonl"
    whole = {"ONCEHUB_AUDIT_ANCHOR": str(anchor)}
    oncehub("audit", "checkpoint", "--anchor-anew", **whole)
    oncehub("audit", "export", str(tmp_path / "archives"))
    assert oncehub("audit", "verify", *given, **whole).returncode == 0
    if (content := spoil(anchor.read_bytes())) is None:
        anchor.unlink()
    else:
        anchor.write_bytes(content)
    failed = oncehub("audit", "verify", *given, **whole)
    # What is anchored and not archived yet is nothing that the archives lack.
    awaits_export = archived and "from here to 4" in said
    assert (failed.returncode == 0) == awaits_export
    assert awaits_export or said in failed.stdout + failed.stderr
    loud = oncehub("audit", "verify", *given, "--no-anchor", **whole)
    assert (loud.returncode, "--no-anchor" in loud.stderr, "--no-anchor" in loud.stdout) == (0, True, True)


def test_signing_that_fell_behind_is_a_status_of_its_own(
    oncehub: Command, database: Connection, entry: Callable[..., Entry]
) -> None:
    with database, database.cursor() as cursor:
        write(database, entry(person=SOMEBODY))
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("update audit.entry set at = at - interval '1 hour'")
    late = oncehub("audit", "status")
    assert late.returncode == 1
    assert "run `oncehub audit checkpoint`" in late.stderr


def test_a_verifier_without_keys_or_archives_says_what_to_name(oncehub: Command, tmp_path: Path) -> None:
    no_keys = oncehub("audit", "verify", "--trust", str(tmp_path / "none.json"))
    assert (no_keys.returncode, "oncehub audit keys" in no_keys.stderr) == (2, True)
    no_archive = oncehub("audit", "verify", "--archive", str(tmp_path), "--no-anchor")
    assert (no_archive.returncode, "oncehub audit export" in no_archive.stderr) == (2, True)


def test_a_clerk_sees_what_a_citizen_sees_and_in_clear_only_on_record(
    oncehub: Command, settings: Settings, database: Connection, entry: Callable[..., Entry]
) -> None:
    key = str(uuid.UUID(int=1))
    with database:
        write(database, entry(person=person_pseudonym(pseudonym_key(settings.home), key)))
        write(database, entry(person=SOMEBODY))
    (hidden,) = json.loads(oncehub("audit", "usage", key, "--json").stdout)["usages"]
    assert (hidden["action"], hidden["receiver_code"], hidden["receiver_system"]) == (
        "Tra cứu dữ liệu",
        "X99",
        "xxxxxx",
    )
    shown = oncehub("audit", "usage", key, "--show-personal-data")
    assert (shown.returncode, "1 usages" in shown.stdout, "portal" in shown.stdout) == (0, True, True)
    with database, database.cursor() as cursor:
        cursor.execute("select command, records from audit.disclosure")
        assert cursor.fetchall() == [("audit usage", 1)]


def test_verifying_names_a_page_in_which_others_stood(
    oncehub: Command, settings: Settings, database: Connection, entry: Callable[..., Entry]
) -> None:
    an, binh = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
    given = page(pseudonym_key(settings.home), "residence", [DisclosedLine(1, an)])
    with database, database.cursor() as cursor:
        write(database, entry(person=None, action="feed", page=given))
        cursor.execute("insert into share.feed (feed) values ('residence')")
        cursor.execute("insert into share.feed_entry values ('residence', 1, %s, '{}')", (an,))
    oncehub("audit", "checkpoint")
    assert oncehub("audit", "verify").returncode == 0
    with database, database.cursor() as cursor:
        cursor.execute("update share.feed_entry set person_key = %s", (binh,))
    bent = oncehub("audit", "verify")
    assert bent.returncode == 1
    assert "changed: entry 1: the page that it gave out was about other people" in bent.stdout


def test_verifying_names_a_routine_that_was_replaced(
    oncehub: Command, settings: Settings, database: Connection
) -> None:
    with database, database.cursor() as cursor:
        cursor.execute("select pg_get_functiondef('audit.usage_of'::regproc)")
        ((genuine,),) = cursor.fetchall()
        cursor.execute(
            genuine.replace(
                "select f.*\n    from found f\n    where",
                "select f.* from found f where f.client_id <> 'spy' and",
            )
        )
    differing = differing_routines(database)
    assert [name.partition("(")[0] for name in differing] == ["function audit.usage_of"]
    bent = oncehub("audit", "verify", "--no-anchor")
    assert bent.returncode == 1
    assert "replaced: function audit.usage_of(" in bent.stdout
    initialise(settings)
    with database, database.cursor() as cursor:
        cursor.execute("create function public.quiet() returns trigger language plpgsql as 'begin end'")
        cursor.execute(
            "create trigger unseen before insert on audit.entry for each row execute function public.quiet()"
        )
        cursor.execute("create rule unheard as on insert to share.consent do instead nothing")
    assert differing_routines(database) == ["rule unheard on share.consent", "trigger unseen on audit.entry"]


NOTHING = "returns trigger language plpgsql {} as 'begin return null; end'"

# What an owner's own SQL can do, and how verifying names it.
TAMPERING = [
    (
        f"create or replace function audit.refuse_change() {NOTHING.format('')}",
        "function audit.refuse_change()",
    ),
    (f"create or replace function hub.refuse_change() {NOTHING.format('')}", "function hub.refuse_change()"),
    (
        f"create or replace function truth.check_decision() {NOTHING.format('security definer')}",
        "function truth.check_decision()",
    ),
    (
        "create or replace function record.attach_source(new_source text) returns void "
        "language sql return null",
        "function record.attach_source(text)",
    ),
    (
        "create or replace function share.is_late(moment bigint) returns boolean language sql return false",
        "function share.is_late(bigint)",
    ),
    (
        "create or replace function entitled.recorded() returns text[] language sql security definer "
        "return array['bank-accounts']",
        "function entitled.recorded()",
    ),
    ("alter function share.ask set search_path = public", "function share.ask(text,bytea,bytea)"),
    ("alter function share.tell reset search_path", "function share.tell(bigint,uuid,bytea)"),
    ("alter function share.count_refusals security invoker", "function share.count_refusals("),
    ("alter function share.proves security definer", "function share.proves(text,text,bytea)"),
    ("alter function share.proves called on null input", "function share.proves(text,text,bytea)"),
    ("alter function share.proves owner to {}", "owner {} of function share.proves(text,text,bytea)"),
    ("alter table audit.entry owner to {}", "owner {} of table audit.entry"),
    ("alter schema audit owner to {}", "owner {} of schema audit"),
    ("alter view entitled.consent reset (check_option)", "options of view entitled.consent"),
    ("alter view entitled.notice set (security_invoker = on)", "options of view entitled.notice"),
    (
        "create or replace view entitled.correction_feed as select 0::bigint as last_sequence",
        "view entitled.correction_feed",
    ),
    ("alter table audit.entry disable trigger user", "trigger "),
    (
        "create trigger unseen after insert on audit.entry for each row execute function hub.refuse_change()",
        "trigger unseen on audit.entry",
    ),
    ("create rule unheard as on insert to audit.entry do instead nothing", "rule unheard on audit.entry"),
    (
        "create rule unheard as on insert to entitled.consent do instead nothing",
        "rule unheard on entitled.consent",
    ),
    ("create policy unseen on audit.entry using (client_id <> 'spy')", "policy unseen on audit.entry"),
    ("alter table audit.entry force row level security", "row level security of audit.entry"),
    (
        "create function public.f() returns event_trigger language plpgsql as 'begin end'; "
        "create event trigger unseen on ddl_command_start execute function public.f()",
        "event trigger unseen",
    ),
    ("create function share.spare() returns text language sql return 'x'", "function share.spare()"),
    ("create function audit.find(text) returns text language sql return $1", "function audit.find(text)"),
]


def test_verifying_names_whatever_changes_what_the_hubs_functions_do(database: Connection) -> None:
    database.rollback()
    database.autocommit = True
    with database.cursor() as cursor:
        for change, name in TAMPERING:
            cursor.execute("begin")
            cursor.execute(change.format("oncehub_signing"))
            differing = compare_routines(cursor)
            cursor.execute("rollback")
            assert [each for each in differing if each.startswith(name.format("oncehub_signing"))], change
        cursor.execute("begin")
        assert compare_routines(cursor) == []
        cursor.execute("rollback")


def test_another_party_witnesses_what_is_published_and_refuses_a_fork(
    oncehub: Command, database: Connection, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    witness = ("audit", "witness", "--state", str(tmp_path / "memory"), "--name", "ombudsman.example.vn/w")
    no_key = oncehub(*witness, str(tmp_path / "log"))
    assert (no_key.returncode, "--make-key" in no_key.stderr) == (2, True)
    made = oncehub(*witness, "--make-key").stdout.strip()
    assert VerifierKey.parse(made).name == "ombudsman.example.vn/w"
    watching = (*witness, "--log", oncehub("audit", "keys", "--note").stdout.strip())
    for folder in ("earlier", "log", "log"):
        with database:
            write(database, entry(person=SOMEBODY))
        oncehub("audit", "checkpoint")
        oncehub("audit", "export", str(tmp_path / folder))
        cosigned = oncehub(*watching, str(tmp_path / folder))
        note = Note.parse((tmp_path / folder / "checkpoint").read_text("utf-8") + cosigned.stdout)
        assert (cosigned.returncode, note.signed_by([VerifierKey.parse(made)])) == (
            0,
            [VerifierKey.parse(made)],
        )
    rolled_back = oncehub(*watching, str(tmp_path / "earlier"))
    assert (rolled_back.returncode, rolled_back.stdout, "rolled back" in rolled_back.stderr) == (1, "", True)
    # Another history of the log, by its own key, with as many lines and with more.
    with database, database.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("delete from audit.checkpoint; delete from audit.leaf")
    for told in ("another tree of 3 lines", "was forked"):
        signed = oncehub("audit", "checkpoint", ONCEHUB_AUDIT_ANCHOR=str(tmp_path / "forked.jsonl"))
        assert signed.returncode == 0, signed.stderr
        oncehub(
            "audit", "export", str(tmp_path / "fork"), ONCEHUB_AUDIT_ANCHOR=str(tmp_path / "forked.jsonl")
        )
        forked = oncehub(*watching, str(tmp_path / "fork"))
        assert (forked.returncode, forked.stdout, told in forked.stderr) == (1, "", True), forked.stderr
        with database:
            write(database, entry(person=SOMEBODY))
    assert "has no checkpoint" in oncehub(*watching, str(tmp_path / "none")).stderr

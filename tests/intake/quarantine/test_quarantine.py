"""What happens to records that cannot be landed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oncehub.encryption.cipher import load_ciphers
from oncehub.encryption.data_keys import add_data_key
from oncehub.encryption.key_ring import load_key_ring
from oncehub.errors import ContractBroken, DecryptionFailed
from oncehub.intake.quarantine.rejected_records import Quarantine, refuse_excess
from oncehub.normalize.batch import Rejected

SENTINEL = "Lê Thị Bí Mật"


def rejected(payload: str = f'{{"hoTen": "{SENTINEL}"}}', key: str | None = "k") -> Rejected:
    return Rejected(key, "contract", "breaks 'type' of the contract", "hoTen", payload.encode())


@pytest.fixture
def keep(bench, settings):
    """Keeps rejected records of the bench's stream, as a run of its own."""
    quarantine = Quarantine(settings, bench.source, bench.stream)

    def keeping(*bad: Rejected) -> None:
        [(run_id,)] = bench.query(
            "insert into intake.run (source, stream, mode, state) "
            "values (%(source)s, %(stream)s, 'full', 'succeeded') returning run_id"
        )
        with bench.database:
            quarantine.keep(bench.database, run_id, bad)

    return keeping


def held(bench, columns: str) -> list[tuple]:
    return bench.query(
        f"select {columns} from intake.rejected where source = %(source)s and stream = %(stream)s order by 1"
    )


def test_a_payload_is_kept_encrypted_and_opens_with_the_key(bench, settings, keep) -> None:
    keep(rejected())
    [(key_id, digest, payload)] = held(bench, "key_id, digest, payload")
    assert SENTINEL.encode() not in bytes(payload)
    ciphers = load_ciphers(settings.home, bench.database)
    quarantine = Quarantine(settings, bench.source, bench.stream)
    opened = quarantine.decrypt(key_id, bytes(digest), bytes(payload), ciphers)
    assert SENTINEL in opened.decode()


def test_the_digest_does_not_give_away_a_guessed_payload(bench, settings, keep) -> None:
    keep(rejected())
    [(digest,)] = held(bench, "digest")
    with bench.database.cursor() as cursor:
        add_data_key(cursor, load_key_ring(settings.home))
    stranger = load_ciphers(settings.home, bench.database).primary
    bench.database.rollback()
    assert stranger.digest(rejected().payload) != bytes(digest)


@pytest.mark.parametrize("change", ["stream", "record", "bit"])
def test_a_payload_of_another_stream_or_record_or_altered_does_not_open(
    change, bench, settings, keep
) -> None:
    keep(rejected(), rejected("{}"))
    [(key_id, digest, payload), (_, other, _)] = held(bench, "key_id, digest, payload")
    stream = "others" if change == "stream" else bench.stream
    digest = other if change == "record" else digest
    encrypted = bytes(payload[:-1]) + bytes([payload[-1][0] ^ (change == "bit")])
    with pytest.raises(DecryptionFailed, match="another record"):
        Quarantine(settings, bench.source, stream).decrypt(
            key_id, bytes(digest), encrypted, load_ciphers(settings.home, bench.database)
        )


def test_the_same_bad_record_is_kept_once(bench, keep) -> None:
    keep(rejected(), rejected())
    keep(rejected())
    assert len(held(bench, "1")) == 1


def test_a_good_version_resolves_all_bad_ones_of_its_record_and_no_other(bench, statement, keep) -> None:
    keep(rejected("1"), rejected("2"), rejected("3", key="other"), rejected("4", key=None))
    bench.land(statement("k", 1, {"person": [{"full_name": "An"}]}))
    assert held(bench, "source_key, resolved_at is not null") == [
        ("k", True),
        ("k", True),
        ("other", False),
        (None, False),
    ]


def test_a_bad_record_that_its_source_deleted_is_resolved(bench, statement, keep) -> None:
    keep(rejected())
    bench.land(statement("k", 1, deleted=True))
    assert held(bench, "resolved_at is not null") == [(True,)]


def test_a_resolved_record_that_is_bad_again_is_open_again_with_its_new_reason(
    bench, statement, keep
) -> None:
    keep(rejected())
    bench.land(statement("k", 1, {"person": [{"full_name": "An"}]}))
    keep(replace(rejected(), stage="mapping", reason="transform nfc could not read field hoTen"))
    assert held(bench, "stage, resolved_at") == [("mapping", None)]


def test_a_key_that_no_text_column_can_hold_does_not_stop_the_batch(bench, keep) -> None:
    keep(rejected(key="k\0"))
    assert held(bench, "source_key") == [(None,)]


@pytest.mark.parametrize(
    ("read", "bad", "refused"), [(199, 199, False), (200, 40, False), (200, 41, True), (10_000, 2001, True)]
)
def test_a_run_is_stopped_once_too_large_a_share_of_it_is_rejected(read, bad, refused) -> None:
    limits = {"at_most": 0.2, "after": 200}
    if not refused:
        refuse_excess("tax.registrations", read, bad, [rejected()], **limits)
        return
    with pytest.raises(ContractBroken, match=rf"{bad} of {read} .*contract hoTen: breaks 'type'") as caught:
        refuse_excess("tax.registrations", read, bad, [rejected()], **limits)
    assert SENTINEL not in str(caught.value)

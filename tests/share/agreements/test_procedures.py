from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncehub.config.procedures import Procedure
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.share.agreements.procedures import had_code, load_procedures, named

ROOT = Path(__file__).resolve().parents[3]

VERSIONED = """\
code: "1.000001"
former:
  - {code: "2.000001", until: 2024-12-31}
  - {code: "2.000002"}
service: 25
name: {vi: Thủ tục thử}
owner: BCA
forms:
  - {name: Mẫu 2, text: Thông tư 2, from: 2025-01-01, until: 2025-12-31}
  - {name: Mẫu 1, text: Thông tư 1, from: 2020-01-01, until: 2024-12-31}
  - {name: Mẫu 3, text: Thông tư 3, from: 2026-01-01}
items:
  full_name: {title: {vi: Họ tên}, attribute: person.full_name}
  email: {title: {vi: Email}, attribute: person.email, from: 2025-01-01}
  fax: {title: {vi: Fax}, ask: {vi: Số fax}, until: 2025-12-31}
  father_birth_date: {title: {vi: Ngày sinh của cha}, of: father, attribute: person.birth_date}
  photo:
    title: {vi: Ảnh}
    ask: {vi: Nộp ảnh}
    replaced_by:
      - {component: TP03, procedures: ["1.000001"]}
"""


@pytest.fixture
def kept(tmp_path: Path) -> Settings:
    """A root without agreements, in which `folder` puts a procedure; no database."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "schemas").symlink_to(ROOT / "schemas")
    return Settings(root, home=tmp_path, database_url=None)


@pytest.fixture
def folder(kept: Settings) -> Path:
    """The folder of procedures, with `VERSIONED` alone in it."""
    folder = kept.mappings / "procedures"
    folder.mkdir(parents=True)
    (folder / "1.000001.yaml").write_text(VERSIONED, "utf-8")
    return folder


def faults(settings: Settings) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load_procedures(settings)
    return str(error.value).splitlines()


def edit(folder: Path, old: str, new: str) -> Path:
    path = folder / "1.000001.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    return path


@pytest.fixture
def procedure(kept: Settings, folder: Path) -> Procedure:
    (procedure,) = load_procedures(kept).values()
    return procedure


@pytest.mark.parametrize(
    ("day", "form", "items"),
    [
        ("2020-01-01", "Mẫu 1", {"full_name", "fax", "father_birth_date", "photo"}),
        ("2024-12-31", "Mẫu 1", {"full_name", "fax", "father_birth_date", "photo"}),
        ("2025-01-01", "Mẫu 2", {"full_name", "email", "fax", "father_birth_date", "photo"}),
        ("2026-01-01", "Mẫu 3", {"full_name", "email", "father_birth_date", "photo"}),
        ("2999-01-01", "Mẫu 3", {"full_name", "email", "father_birth_date", "photo"}),
    ],
)
def test_each_day_has_its_form_and_its_items(
    procedure: Procedure, day: str, form: str, items: set[str]
) -> None:
    version = procedure.form_on(date.fromisoformat(day))
    assert version is not None
    assert version.name == form
    assert set(procedure.items_on(date.fromisoformat(day))) == items


Spans = list[tuple[int, int | None]]


def chained(lengths: list[int]) -> Spans:
    """Versions that follow one another, the last one open."""
    starts = [sum(lengths[:number]) for number in range(len(lengths) + 1)]
    return [
        *((start, following - 1) for start, following in pairwise(starts)),
        (starts[-1], None),
    ]


ANY_SPANS = st.lists(
    st.tuples(st.integers(0, 40), st.none() | st.integers(0, 12)).map(
        lambda span: (span[0], None if span[1] is None else span[0] + span[1])
    ),
    min_size=1,
    max_size=4,
)
CHAINS = st.lists(st.integers(1, 12), max_size=3).map(chained).flatmap(st.permutations)


@given(spans=CHAINS | ANY_SPANS)
def test_files_are_accepted_just_when_every_day_from_the_first_has_one_form(
    kept: Settings, folder: Path, spans: Spans
) -> None:
    first = date(2026, 1, 1)
    versions = [
        f"  - {{name: Mẫu {number}, text: Thông tư {number}, from: {first + timedelta(start)}"
        + ("}" if end is None else f", until: {first + timedelta(end)}}}")
        for number, (start, end) in enumerate(spans)
    ]
    head, _, _ = VERSIONED.partition("forms:")
    rest = "items:\n  fax: {title: {vi: Fax}, ask: {vi: Số fax}}\n"
    (folder / "1.000001.yaml").write_text("\n".join([f"{head}forms:", *versions, rest]), "utf-8")

    begin, last = min(start for start, _ in spans), max(60 if end is None else end for _, end in spans)
    counts = [sum(start <= day and (end is None or day <= end) for start, end in spans) for day in range(61)]
    assert accepted(kept) == all(count == 1 for count in counts[begin : last + 1])


def accepted(kept: Settings) -> bool:
    try:
        load_procedures(kept)
    except ConfigError:
        return False
    return True


def test_before_its_first_version_a_procedure_has_no_form(procedure: Procedure) -> None:
    assert procedure.form_on(date(2019, 12, 31)) is None


def test_a_former_code_leads_to_the_procedure_until_its_last_day(procedure: Procedure) -> None:
    procedures = {procedure.id: procedure}
    assert named(procedures, "2.000001") is procedure
    assert named(procedures, "2.000003") is None
    assert had_code(procedure, "2.000001", date(2024, 12, 31))
    assert not had_code(procedure, "2.000001", date(2025, 1, 1))
    assert had_code(procedure, "2.000002", date(2999, 1, 1))


def test_a_procedure_without_a_code_has_an_id_of_its_own(kept: Settings, folder: Path) -> None:
    path = edit(folder, 'code: "1.000001"\n', "")
    edit(folder, '"1.000001"]', "dvctt-25]")
    assert faults(kept) == [
        f"{path}:4:1: service: the procedure is 'dvctt-25', the file is not; name it dvctt-25.yaml"
    ]
    path.rename(folder / "dvctt-25.yaml")
    assert set(load_procedures(kept)) == {"dvctt-25"}


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            'code: "1.000001"',
            'code: "1.000009"',
            ":1:1: code: the procedure is '1.000009', the file is not; name it 1.000009.yaml",
        ),
        (
            "attribute: person.email",
            "attribute: person.emial",
            ":14:31: items.email.attribute: 'person.emial' is not known; did you mean 'person.email'?",
        ),
        ("of: father", "of: fahter", ":16:55: items.father_birth_date.of: 'fahter' is not known; did you"),
        (
            "of: father",
            "of: full_name",
            ":16:55: items.father_birth_date.of: 'full_name' is not known; there",
        ),
        (
            "of: father, attribute: person.birth_date",
            "of: household_members, attributes: [person.full_name, person.birth_dat]",
            ":16:109: items.father_birth_date.attributes.1: 'person.birth_dat' is not known; did you mean",
        ),
        (
            "of: father, attribute: person.birth_date",
            "of: household_members, attributes: [person.religion]",
            ":16:91: items.father_birth_date.attributes.0: 'person.religion' cannot be listed",
        ),
        (
            "of: father, attribute: person.birth_date",
            "of: household_members, attributes: [person.hometown]",
            ":16:91: items.father_birth_date.attributes.0: 'person.hometown' cannot be listed",
        ),
        (
            "of: father, attribute: person.birth_date",
            "of: household_members, attributes: [person.sex, person.sex]",
            ":16:103: items.father_birth_date.attributes.1: 'person.sex' is repeated; keep one",
        ),
        (
            "from: 2025-01-01, until",
            "from: 2025-01-11, until",
            ":9:37: forms.0.from: no version holds from 2025-01-01 to 2025-01-10; close the gap",
        ),
        (
            "until: 2024-12-31}\n  - {name: Mẫu 3",
            "until: 2025-01-01}\n  - {name: Mẫu 3",
            ":9:37: forms.0.from: on 2025-01-01 the version from 2020-01-01 holds too; end that one with",
        ),
        (
            "from: 2025-01-01, until: 2025-12-31",
            "from: 2025-01-01",
            ":11:37: forms.2.from: on 2026-01-01 the version from 2025-01-01 holds too; end that one with",
        ),
        (
            "attribute: person.email, from: 2025-01-01",
            "attribute: person.email, from: 2027-01-01",
            ":14:56: items.email.from: no version of the form begins on 2027-01-01; versions do on: 2020",
        ),
        (
            "until: 2025-12-31}\n  father",
            "until: 2019-12-31}\n  father",
            ":15:46: items.fax.until: no version of the form ends on 2019-12-31; versions do on: 2024",
        ),
        (
            'procedures: ["1.000001"]',
            'procedures: ["1.000011"]',
            ":21:40: items.photo.replaced_by.0.procedures.0: '1.000011' is not known; did you mean",
        ),
    ],
)
def test_faults_of_a_procedure_are_reported_with_their_place(
    kept: Settings, folder: Path, old: str, new: str, fault: str
) -> None:
    path = edit(folder, old, new)
    if old.startswith("code"):
        edit(folder, '["1.000001"]', '["2.000001"]')
    if old.startswith("from: 2025-01-01, until"):
        edit(folder, ", from: 2025-01-01}\n  fax", "}\n  fax")
        edit(folder, ", until: 2025-12-31}\n  father", "}\n  father")
    (told, *_) = faults(kept)
    assert told.startswith(f"{path}{fault}")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("of: father, attribute: person.birth_date", "of: father, ask: {vi: x}", "of goes with attribute"),
        (
            "attribute: person.full_name",
            "attribute: person.full_name, even_if_deceased: true",
            "goes with of",
        ),
        ("of: father, attribute", "of: household_members, attribute", "which leads to several people"),
        (
            "of: father, attribute: person.birth_date",
            "attributes: [person.sex]",
            "which leads to several people",
        ),
        (
            "of: father, attribute: person.birth_date",
            "of: household_members, attributes: [person.sex], even_if_deceased: true",
            "even_if_deceased goes with of one relative",
        ),
        ("ask: {vi: Số fax}", "ask: {vi: Số fax}, max_age: 1y", "an answer has no age"),
        ("ask: {vi: Số fax}", "ask: {vi: Số fax}, confirm: true", "confirmed by answering"),
        ("ask: {vi: Số fax}", "ask: {vi: Số fax}, attribute: person.email", "give either attribute"),
        ("attribute: person.full_name", "attribute: person.full_name, max_age: old", "write an age in days"),
        (
            "attribute: person.email, ",
            "attribute: person.email, until: 2024-12-31, ",
            "until lies before from",
        ),
        ("until: 2025-12-31}\n  - {name: Mẫu 1", "until: 2024-12-31}\n  - {name: Mẫu 1", "until lies before"),
        (
            "{component: TP03, procedures",
            "{result: KQ.G01.1, component: TP03, procedures",
            "give either result",
        ),
        (', procedures: ["1.000001"]', "", "component goes with procedures"),
        ("component: TP03, procedures", "result: KQ.G01.1, procedures", "component goes with procedures"),
        ("ask: {vi: Nộp ảnh}", "attribute: person.email", "replaced_by goes with ask"),
        ('code: "1.000001"', 'code: "1.0001"', "should match pattern"),
        ("service: 25", "service: 26", "less than or equal to 25"),
    ],
)
def test_an_item_that_contradicts_itself_is_reported(
    kept: Settings, folder: Path, old: str, new: str, fault: str
) -> None:
    path = edit(folder, old, new)
    (told, *_) = faults(kept)
    assert told.startswith(f"{path}:")
    assert fault in told


def test_a_version_without_items_is_reported(kept: Settings, folder: Path) -> None:
    path = folder / "1.000001.yaml"
    text = (
        VERSIONED[: VERSIONED.index("items:")]
        + "items: {fax: {title: {vi: Fax}, ask: {vi: Số}, from: 2026-01-01}}"
    )
    path.write_text(text, "utf-8")
    assert faults(kept) == [
        f"{path}:9:5: forms.0: no item belongs to this version; add one",
        f"{path}:10:5: forms.1: no item belongs to this version; add one",
    ]


def test_a_code_stands_once(kept: Settings, folder: Path) -> None:
    path = edit(folder, '{code: "2.000002"}', '{code: "2.000001", from: 2025-01-01}')
    assert faults(kept) == [
        f"{path}:4:6: '2.000001' is a code of 1.000001.yaml already; a code belongs to one procedure, once"
    ]


def test_a_service_and_a_code_belong_to_one_procedure(kept: Settings, folder: Path) -> None:
    path = folder / "1.000002.yaml"
    text = VERSIONED.replace('code: "1.000001"', 'code: "1.000002"', 1)
    path.write_text(text.replace('"2.000002"', '"1.000001"'), "utf-8")
    assert faults(kept) == [
        f"{path}:5:1: service: 25 is 1.000001.yaml already; one file a service",
        f"{path}:3:6: '2.000001' is a code of 1.000001.yaml already; a code belongs to one procedure, once",
        f"{path}:4:6: '1.000001' is a code of 1.000001.yaml already; a code belongs to one procedure, once",
    ]

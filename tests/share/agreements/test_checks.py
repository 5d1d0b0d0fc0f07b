"""What is wrong with an agreement is told when files are checked, with its place and what to write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, strategies

from oncehub.config.administrative_units import read_units
from oncehub.config.agreements import Condition
from oncehub.config.catalogue import load_rules
from oncehub.config.entities import load_entities
from oncehub.config.privacy import RevealRules
from oncehub.errors import ConfigError
from oncehub.settings import Settings, load_settings
from oncehub.share.agreements.catalogue import check_proofs, load_agreements
from oncehub.share.agreements.checks import read_purposes
from oncehub.share.agreements.population import Catalogues

ROOT = load_settings()
REVEALS = load_rules(ROOT, "reveals", RevealRules)
CATALOGUES = Catalogues(ROOT.mappings)
PERSON = load_entities(ROOT.schemas)["person"].attributes

ONE = """\
name: one
agency: {id: G09, name: Bộ Ví Dụ, kind: state}
purpose: dpv:PublicBenefit
legal_basis: {text: Luật 91/2025/QH15, article: Điều 19 khoản 1 điểm c, from: 2026-01-01}
consent: not_required
attributes: [person.personal_id, person.full_name, person.permanent_address]
implied: [person.sex, person.birth_date, person.birth_registration_place]
search_by: [person.personal_id]
limits: {per_second: 1, per_day: 10}
valid: {from: 2026-01-01, until: 2026-12-31}
"""


@pytest.fixture
def faults(tmp_path: Path) -> Callable[..., list[str]]:
    """What is wrong with agreements that are given as texts, without their folder."""
    root = tmp_path / "root"
    folder = root / "mappings" / "agreements"
    folder.mkdir(parents=True)
    for name in ("connectors", "schemas", "mappings/codes", "mappings/rules", "mappings/procedures"):
        (root / name).symlink_to(ROOT.root / name)
    settings: Settings = replace(ROOT, root=root)

    def check(*texts: str) -> list[str]:
        for number, text in enumerate(texts):
            name = text.partition("\n")[0].removeprefix("name: ")
            (folder / f"{name or number}.yaml").write_text(text, "utf-8")
        try:
            load_agreements(settings)
        except ConfigError as error:
            return [fault.replace(f"{folder}/", "") for fault in str(error).splitlines()]
        return []

    return check


def test_the_agreement_of_these_tests_is_sound(faults: Callable[..., list[str]]) -> None:
    assert faults(ONE) == []


def changed(old: str, new: str) -> str:
    assert old in ONE
    return ONE.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "place", "told"),
    [
        (
            "dpv:PublicBenefit",
            "dpv:PublicBenefits",
            "3:1: purpose",
            "'dpv:PublicBenefits' is no purpose of DPV; did you mean 'dpv:PublicBenefit'?",
        ),
        (
            "from: 2026-01-01}\nconsent",
            "from: 2026-01-01, until: 2026-06-30}\nconsent",
            "4:91: legal_basis.until",
            "has ended on 2026-06-30, before the agreement ends on 2026-12-31; name the text that",
        ),
        (
            "from: 2026-01-01}\nconsent",
            "from: 2026-02-01}\nconsent",
            "4:73: legal_basis.from",
            "is in force from 2026-02-01, after the agreement begins on 2026-01-01; let it begin then",
        ),
        (
            "kind: state}",
            "kind: private}",
            "5:1: consent",
            "a private party needs the citizen's consent (Luật 91/2025/QH15); write consent: required",
        ),
        (
            ", person.birth_registration_place]",
            "]",
            "6:14: attributes.0",
            (
                "person.personal_id reveals person.birth_registration_place "
                "(The first six digits are province or"
            ),
        ),
        (
            "implied: [person.sex,",
            "implied: [person.religion, person.sex,",
            "7:11: implied.0",
            "'person.religion' is revealed by no attribute here; remove it",
        ),
        (
            "implied: [person.sex,",
            "implied: [person.full_name, person.sex,",
            "7:11: implied.0",
            "'person.full_name' stands under attributes; keep one",
        ),
        (
            "search_by: [person.personal_id]",
            "search_by: [person.personal_id, person.passport]",
            "8:33: search_by.1",
            "'person.passport' is outside the agreement, and an answer confirms it",
        ),
        (
            "consent: not_required",
            "consent: not_required\nprocedures: ['1.004222']",
            "6:1: procedures",
            "a form reveals person.life_status, as it is refused because of it; list it under attributes, or",
        ),
        (
            "consent: not_required",
            "records_consent_for: [tow]\nconsent: not_required",
            "5:23: records_consent_for.0",
            "'tow' is not known; name an agreement that needs consent",
        ),
    ],
)
def test_a_fault_is_reported_with_its_place_and_a_remedy(
    faults: Callable[..., list[str]], old: str, new: str, place: str, told: str
) -> None:
    (fault,) = faults(changed(old, new))
    assert fault.startswith(f"one.yaml:{place}: ")
    assert told in fault


@pytest.mark.parametrize(
    ("population", "told"),
    [
        (
            "person.permanent_adress: {province: ['01']}",
            "is not known; did you mean 'person.permanent_address'?",
        ),
        ("person.full_name: {province: ['01']}", "is no address; write one_of with its codes"),
        ("person.religion: {one_of: ['01']}", "is sensitive, and a look-up would reveal it; choose another"),
        (
            "person.full_name: {one_of: [An]}",
            "has no list of values; choose an attribute that has one, or an address",
        ),
        ("person.sex: {one_of: [femal]}", "'femal' is none of its values; there are: male, female, other"),
        (
            "person.permanent_address: {province: ['02']}",
            "the catalogue in force from 2025-07-01 has no code '02'; ",
        ),
        (
            "person.permanent_address: {province: ['01'], edition: 2020-01-01}",
            "no catalogue is in force from 2020-01-01; there are: 2024-12-01, 2025-07-01",
        ),
        (
            "person.current_address: {province: ['01']}",
            (
                "is revealed by a look-up, which finds only such people; list it under attributes, "
                "or under implied"
            ),
        ),
    ],
)
def test_an_invalid_population_is_reported(
    faults: Callable[..., list[str]], population: str, told: str
) -> None:
    text = changed("consent: not_required", f"consent: not_required\npopulation: {{{population}}}")
    assert any(told in fault and fault.startswith("one.yaml:6:") for fault in faults(text))


def test_a_private_party_reads_only_people_who_consent(faults: Callable[..., list[str]]) -> None:
    text = (
        ONE.replace("kind: state", "kind: private")
        .replace(
            "consent: not_required", "consent: required\nrecords_consent_for: [one]\nrelatives: [spouse]"
        )
        .replace("person.full_name,", "person.full_name, person.spouse,")
        .replace("implied: [", "implied: [person.marital_status, ")
    )
    told = "\n".join(faults(text))
    assert "a private party cannot record that citizens consent" in told
    assert "relatives: a citizen consents to attributes, and to nothing else" in told
    assert "'person.spouse' names somebody else, who has not consented; leave it out" in told


HANOI = (
    "consent: not_required",
    "consent: not_required\npopulation: {person.permanent_address: {province: ['01']}}",
)
HCMC = (
    "consent: not_required",
    "consent: not_required\npopulation: {person.permanent_address: {province: ['79']}}",
)
WARD = (
    "consent: not_required",
    "consent: not_required\npopulation: {person.permanent_address: {commune: ['00004']}}",
)


@pytest.mark.parametrize(
    ("one", "two", "overlapping"),
    [
        (("", ""), ("", ""), True),
        (("", ""), ("id: G09", "id: G10"), False),
        (("", ""), ("dpv:PublicBenefit", "dpv:LegalCompliance"), False),
        (("", ""), ("from: 2026-01-01, until: 2026-12-31", "from: 2027-01-01, until: 2027-12-31"), False),
        (("", ""), ("from: 2026-01-01, until: 2026-12-31", "from: 2026-12-31, until: 2027-12-31"), True),
        (HANOI, HCMC, False),
        (HANOI, ("", ""), True),
        (HANOI, WARD, True),
        (HCMC, WARD, False),
    ],
)
def test_two_agreements_by_which_one_agency_may_ask_the_same_overlap(
    faults: Callable[..., list[str]], one: tuple[str, str], two: tuple[str, str], overlapping: bool
) -> None:
    second = ONE.replace("name: one", "name: other", 1).replace(*two)
    told = faults(ONE.replace(*one), second)
    assert any("other.yaml" in fault and "overlaps with 'one'" in fault for fault in told) == overlapping
    assert len(told) == overlapping


@given(strategies.sets(strategies.sampled_from([f"person.{name}" for name in PERSON]), min_size=1))
def test_attributes_that_revealed_ones_reveal_are_reported_too(attributes: set[str]) -> None:
    told = {name for _, name in REVEALS.revealed(attributes)}
    assert not told & attributes
    for reveal in REVEALS.reveals:
        if (attributes | told).issuperset(reveal.given):
            assert set(reveal.tells) <= attributes | told


def test_every_purpose_of_the_vocabulary_is_there_once() -> None:
    purposes = read_purposes(ROOT.mappings)
    assert {"dpv:RequestedServiceProvision", "dpv:LegalCompliance", "dpv:IdentityVerification"} <= set(
        purposes
    )
    assert len(purposes) == len(set(purposes)) > 80


def test_a_code_that_was_given_to_another_province_is_read_in_its_own_edition() -> None:
    """44 was Quảng Bình's; since 2025-07-01 it is Quảng Trị's, which was 45 and has both areas now."""
    before = set(CATALOGUES.places(Condition(province=("44",), edition=date(2024, 12, 1))))
    now = set(CATALOGUES.places(Condition(province=("44",))))
    quang_tri = {f"2024-12-01/{unit}" for unit in read_units(ROOT.mappings).provinces["2024-12-01"]["45"]}
    assert quang_tri <= now
    assert not quang_tri & before
    assert before < now


def test_every_commune_lies_in_one_province_and_former_ones_are_followed_into_theirs() -> None:
    provinces = read_units(ROOT.mappings).provinces
    present, former = provinces["2025-07-01"], provinces["2024-12-01"]
    places = [place for code in present for place in CATALOGUES.places(Condition(province=(code,)))]
    assert len(places) == len(set(places))
    assert sum(place.startswith("2025-07-01/") for place in places) == sum(map(len, present.values())) == 3321
    assert sum(place.startswith("2024-12-01/") for place in places) == sum(map(len, former.values()))


def test_of_a_commune_that_was_split_nothing_counts_as_one_of_its_parts() -> None:
    split = "2024-12-01/00007"
    parts = ("00008", "00025")
    assert split in CATALOGUES.places(Condition(commune=parts))
    assert not any(split in CATALOGUES.places(Condition(commune=(part,))) for part in parts)


def test_what_nobody_can_prove_is_a_fault(editable: Settings) -> None:
    check_proofs(editable)
    path = editable.mappings / "agreements" / "portal-residence.yaml"
    text = path.read_text("utf-8")
    path.write_text(text.replace("citizens: {", "citizens: {claimed: [usage, usage], "), "utf-8")
    essential = path.with_name("portal-essential.yaml")
    essential.write_text(f"{essential.read_text('utf-8')}citizens: {{claimed: [usage]}}\n", "utf-8")
    for name in ("citizens", "officers"):
        provider = editable.mappings / "identity_providers" / f"{name}.yaml"
        provider.write_text(provider.read_text("utf-8").replace("G01", "G03"), "utf-8")
    with pytest.raises(ConfigError) as raised:
        check_proofs(editable)
    for fault in (
        "citizens.claimed.1: 'usage' is repeated; keep one",
        "citizens: no identity provider proves citizens to G01; name its client ids",
        "officers: no identity provider proves officers of G01; name its client ids",
        "citizens.claimed.0: citizens do not see who had their data under this agreement; remove it",
    ):
        assert fault in str(raised.value)

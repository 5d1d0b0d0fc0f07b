from __future__ import annotations

from pathlib import Path

import pytest

from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.procedures import load_procedures
from oncehub.share.people.relatives import is_covered


def edit(settings: Settings, file: str, old: str, new: str) -> Path:
    path = settings.mappings / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    return path


def faults(settings: Settings) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load_agreements(settings)
    return str(error.value).splitlines()


def test_the_agreements_and_procedures_kept_here_are_sound(settings: Settings) -> None:
    agreements = load_agreements(settings)
    assert {name: agreement.feed for name, agreement in agreements.items()} == {
        "bank-accounts": "bank_customers",
        "customs-declarants": None,
        "hanoi-one-stop": None,
        "portal-essential": None,
        "portal-identity": None,
        "portal-residence": "residence",
        "tax-registration": "taxpayers",
    }


def test_an_agreement_covers_what_the_forms_of_its_procedures_need(settings: Settings) -> None:
    procedures = load_procedures(settings)
    for agreement in load_agreements(settings).values():
        for code in agreement.procedures:
            items = procedures[code].items.values()
            assert all(is_covered(item, agreement) for item in items if item.attribute)


def test_an_unknown_attribute_is_reported_with_its_place_and_the_nearest_name(editable: Settings) -> None:
    path = edit(editable, "agreements/portal-residence.yaml", "- person.full_name", "- person.ful_name")
    assert faults(editable) == [
        f"{path}:10:5: attributes.1: 'person.ful_name' is not known; did you mean 'person.full_name'?"
    ]


def test_only_identifiers_may_be_searched_by(editable: Settings) -> None:
    path = edit(editable, "agreements/portal-residence.yaml", "[person.personal_id]", "[person.full_name]")
    (fault,) = faults(editable)
    assert fault.startswith(f"{path}:33:13: search_by.0: 'person.full_name' is not known; there are: ")
    assert "person.tax_code" in fault


def test_an_unknown_procedure_is_reported_with_the_nearest_name(editable: Settings) -> None:
    edit(editable, "agreements/portal-residence.yaml", '"1.001193"', '"1.001139"')
    (fault,) = faults(editable)
    assert "procedures.1: '1.001139' is not known; did you mean '1.001193'?" in fault


def test_every_fault_is_reported_at_once(editable: Settings) -> None:
    edit(editable, "agreements/portal-residence.yaml", "- person.sex", "- person.sax")
    edit(editable, "agreements/tax-registration.yaml", "- person.sex", "- tax_registration.status")
    edit(editable, "agreements/tax-registration.yaml", "- person.phone", "- person.birth_date")
    edit(editable, "agreements/tax-registration.yaml", "feed: taxpayers", "feed: residence")
    edit(editable, "agreements/tax-registration.yaml", "name: tax-registration", "name: tax")
    told = "\n".join(faults(editable))
    assert "'person.sax' is not known" in told
    assert "'tax_registration.status' is not known" in told
    assert "'person.birth_date' is repeated; keep one" in told
    assert "feed: 'residence' is the feed of 'portal-residence' already" in told
    assert "name: 'tax' differs from the file's name; write name: tax-registration" in told


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("person.emial", "is not known; did you mean 'person.email'?"),
        ("person.phone", "stands under attributes, with its value; keep one"),
        ("person.life_status", "has few values, so that telling that it differs tells which"),
    ],
)
def test_attributes_of_notices_without_value_are_outside_the_agreement_and_disclose_no_value(
    editable: Settings, name: str, advice: str
) -> None:
    edit(editable, "agreements/tax-registration.yaml", "[person.email]", f"[{name}]")
    (fault,) = faults(editable)
    assert f"corrections.without_value.0: {name!r} {advice}" in fault


def test_keys_that_are_no_thumbprints_or_named_twice_are_reported(editable: Settings) -> None:
    own, other = "A" * 43, "B" * 42 + "A"
    names = {"portal-residence": f"{own}, {own}", "tax-registration": f"{other}, {own}"}
    for name, keys in names.items():
        edit(editable, f"agreements/{name}.yaml", "search_by:", f"keys: [{keys}]\nsearch_by:")
    repeated, shared = faults(editable)
    assert repeated.endswith(f"keys.1: '{own}' is repeated; keep one")
    assert shared.endswith(
        f"keys.1: '{own}' is a key of 'portal-residence' already; each client has keys of its own"
    )
    for wrong in ("A" * 42, "A" * 42 + "B", "not a thumbprint"):
        edit(editable, "agreements/tax-registration.yaml", f"[{other}", f"[{wrong}")
        assert "keys.0" in faults(editable)[0]
        edit(editable, "agreements/tax-registration.yaml", f"[{wrong}", f"[{other}")


def test_an_unknown_relative_or_one_whose_relation_is_not_covered_is_reported(editable: Settings) -> None:
    file = "agreements/tax-registration.yaml"
    path = edit(
        editable,
        file,
        "feed: taxpayers",
        "relatives: [spouse, spuose, spouse, household_members]\nfeed: taxpayers",
    )
    place = f"{path}:{path.read_text('utf-8').splitlines().index('feed: taxpayers')}"
    assert faults(editable) == [
        f"{place}:13: relatives.0: 'spouse' needs person.spouse under attributes; add it",
        f"{place}:21: relatives.1: 'spuose' is not known; did you mean 'spouse'?",
        f"{place}:29: relatives.2: 'spouse' is repeated; keep one",
        f"{place}:37: relatives.3: 'household_members' needs person.household_head under attributes; add it",
    ]


def test_values_that_citizens_cannot_have_corrected_are_named(editable: Settings) -> None:
    file = "agreements/portal-residence.yaml"
    path = edit(editable, file, "  corrections:\n", "  corrections:\n    - person.tax_code\n")
    unshown, *_ = faults(editable)
    assert unshown.startswith(f"{path}:")
    assert "citizen_view.corrections.0: 'person.tax_code' does not stand under attributes" in unshown
    edit(editable, file, "    - person.tax_code\n", "    - person.phone\n")
    (repeated,) = faults(editable)
    assert "'person.phone' is repeated; keep one" in repeated

"""A rule file that is wrong says where, and what to write instead."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from oncehub.errors import ConfigError
from oncehub.reconcile.rules.rulebook import load_rulebook
from oncehub.settings import Settings


@pytest.fixture
def edited(tmp_path, own_settings):
    """Replace a piece of a rule file and load the rules."""
    shutil.copytree(own_settings.mappings / "rules", tmp_path / "mappings" / "rules")
    (tmp_path / "schemas").symlink_to(own_settings.schemas)
    (tmp_path / "connectors").symlink_to(own_settings.connectors)

    def edit(name, old, new):
        path = tmp_path / "mappings" / "rules" / name
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")
        return load_rulebook(replace(own_settings, root=tmp_path))

    return edit


@pytest.fixture
def own_settings(tmp_path):
    return Settings(root=Path(__file__).resolve().parents[3], home=tmp_path / "home", database_url=None)


def test_the_project_s_own_rules_cover_every_attribute(own_settings):
    rules = load_rulebook(own_settings)
    assert set(rules.survivorship.attributes) == set(rules.person.attributes)
    assert set(rules.contested_attributes) == {"tax_code", "passport", "phone", "email"}


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (
            "comparison.yaml",
            "  phone: ",
            "  fone: ",
            r"comparison\.yaml:\d+:3: fone: .* did you mean 'phone'",
        ),
        (
            "matching.yaml",
            "attribute: tax_code",
            "attribute: taxcode",
            r"matching\.yaml:\d+:\d+: taxcode: .*'tax_code'",
        ),
        (
            "survivorship.yaml",
            "{portal: 0.9,",
            "{population: 0.9,",
            r"the register's statements are not weighed",
        ),
        (
            "survivorship.yaml",
            "lifelong: [birth_date",
            "lifelong: [birthdate",
            r":\d+:\d+: birthdate: .*'birth_date'",
        ),
        (
            "survivorship.yaml",
            "authority: tax",
            "authority: taxes",
            r"survivorship\.yaml:\d+:3: no connector reads a source 'taxes'; there are: banking, customs, ",
        ),
        (
            "survivorship.yaml",
            "[national_id_9, tax_code, passport, model]",
            "[national_id]",
            r"survivorship\.yaml:\d+:\d+: no record is linked by 'national_id'; there are: personal_id, ",
        ),
        ("survivorship.yaml", "customs: 0.5", "custom: 0.5", r"survivorship\.yaml:\d+:3: no connector reads"),
        ("survivorship.yaml", "customs: 0.5", "customs: 0", r"survivorship\.yaml:\d+:\d+: .*greater than 0"),
        ("survivorship.yaml", "half_life: 1y", "half_life: 1", r"an age in days or years, such as 90d or 3y"),
        (
            "survivorship.yaml",
            "half_life: 1y, ",
            "",
            "trust by source needs a half_life",
        ),
        ("survivorship.yaml", "{authority: tax}", "{}", r"survivorship\.yaml:\d+:3: .*either authority, or"),
        ("survivorship.yaml", "{authority: tax}", "{authority: tax, doubtful: 0.5}", r"leave doubtful out"),
        ("matching.yaml", "stated_by: tax", "stated_by: taxes", r"matching\.yaml:\d+:\d+: no connector"),
        ("matching.yaml", "register: population", "register: people", r"matching\.yaml:\d+:1: no connector"),
        ("survivorship.yaml", "  phone: ", "  fone: ", r"survivorship\.yaml:\d+:3: fone: .*'phone'"),
        ("comparison.yaml", "compare: address", "compare: exact", r"permanent_address: is of type object"),
        ("comparison.yaml", "compare: name", "compare: address", r"full_name: is of type text"),
        (
            "comparison.yaml",
            "compare: name",
            "compare: nmae",
            r"comparison\.yaml:\d+:\d+: .*'nmae' is not one of",
        ),
        (
            "comparison.yaml",
            "required_of: [portal,",
            "required_of: [portel,",
            r":\d+:\d+: no connector .*'portel'",
        ),
        (
            "comparison.yaml",
            "  tax.registrations:",
            "  taxes.registrations:",
            r":\d+:3: no connector .*'taxes'",
        ),
        ("comparison.yaml", "  tax.registrations:", "  registrations:", r"write source\.stream"),
        (
            "comparison.yaml",
            "registrations: tax_code",
            "registrations: mst",
            r":\d+:3: mst: a person has no such",
        ),
        ("comparison.yaml", "attribute: email", "attribute: emial", r":\d+:\d+: emial: .* 'email'"),
        (
            "comparison.yaml",
            "{compare: exact}",
            "{compare: identifier}",
            r"sex: no identifier of matching\.yaml",
        ),
        ("comparison.yaml", "{compare: exact}", "{compare: exact, form: true}", r"one form only"),
        ("comparison.yaml", "kind: form, opens: low", "kind: form, opens: high", r"cannot rise"),
        ("comparison.yaml", "kind: form, opens: low", "kind: form, opens: medium", r"can only rise to high"),
        ("comparison.yaml", "high_after: 1y", "high_after: 9d", r"longer than medium_after"),
        ("comparison.yaml", "kind: missing", "kind: form", r"two rules for one kind"),
        ("comparison.yaml", "{kind: missing,", "{kind: form, attribute: phone,", r"attribute for missing"),
        ("matching.yaml", "method: former_personal_id", "method: personal_id", r"a method of its own"),
        (
            "matching.yaml",
            "scheme: tax_code",
            "scheme: personal_id",
            r"the register and another source cannot both state one scheme",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(edited, name, old, new, said):
    with pytest.raises(ConfigError, match=said):
        edited(name, old, new)


def test_an_attribute_without_a_survivorship_rule_is_named(edited, own_settings):
    line = next(
        line
        for line in (own_settings.mappings / "rules" / "survivorship.yaml").read_text("utf-8").splitlines()
        if line.strip().startswith("email:")
    )
    with pytest.raises(ConfigError, match="no rule for email"):
        edited("survivorship.yaml", line, "")


def test_identifiers_of_another_source_cannot_come_before_those_of_the_register(edited):
    with pytest.raises(ConfigError, match="come after those of the register"):
        edited(
            "matching.yaml",
            "scheme: national_id_9}",
            "scheme: national_id_9, stated_by: tax}\n  - {method: last, attribute: sex, scheme: sex}",
        )

"""An installation's own transforms, in a file beside its mappings."""

from __future__ import annotations

import polars as pl
import pytest

from oncehub.errors import ConfigError
from oncehub.normalize.transforms.registry import TRANSFORMS, Transforms, catalogue

from ..configuration import load, read_samples

ADDED = '''
import polars as pl

from oncehub.normalize.transforms.letters import squeeze
from oncehub.normalize.transforms.transform import optional_transform, transform


@transform
def office(value: pl.Expr, prefix: str = "CCT") -> pl.Expr:
    """Write a tax office with its prefix.

    Source: the installation's own list.

    Examples:
        " Quận  1 " -> "CCT Quận 1"
    """
    return pl.lit(prefix + " ") + squeeze(value)


@optional_transform
def stated(value: pl.Expr) -> pl.Expr:
    """Leave out a dash, which stands for nothing.

    Examples:
        "-" -> null
    """
    return pl.when(value != "-").then(value)
'''


@pytest.fixture
def added(spoilt_root):
    (spoilt_root / "mappings/transforms.py").write_text(ADDED, "utf-8")
    return spoilt_root


def test_it_is_reported_like_the_hub_s_own(added):
    entries = {entry.name: entry for entry in catalogue(added / "mappings")}
    assert entries.keys() == TRANSFORMS.keys() | {"office", "stated"}
    office = entries["office"]
    assert (office.parameters, office.summary) == (("prefix = 'CCT'",), "Write a tax office with its prefix.")
    assert (office.source, *map(str, office.examples)) == (
        "the installation's own list",
        '" Quận  1 " -> "CCT Quận 1"',
    )
    assert "office" not in {entry.name for entry in catalogue()}


def test_a_mapping_uses_it_by_name(added):
    path = added / "mappings/sources/tax/registrations.yaml"
    text = path.read_text("utf-8")
    old = "{from: coQuanThue, via: [nfc, squeeze]}"
    assert old in text
    path.write_text(text.replace(old, "{from: coQuanThue, via: [stated, {office: Cục}]}"), "utf-8")
    records = [{**read_samples("tax", "registrations")[0], "coQuanThue": name} for name in ("Quận  1", "-")]
    batches = [load(added, "tax", "registrations").normalize([record]) for record in records]
    offices = [batch.frames["tax_registration"]["tax_office"].item() for batch in batches]
    assert offices == ["Cục Quận 1", None]
    assert not any(batch.rejected for batch in batches)


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (
            ADDED.replace("def office", "def upper"),
            "upper is the name of a transform of the hub; choose another",
        ),
        ("def (", "transforms.py:1:5: is not valid Python"),
        ("import no_such_module", "cannot import no_such_module; install it or do without"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_advice(tmp_path, content, advice):
    (tmp_path / "transforms.py").write_text(content, "utf-8")
    with pytest.raises(ConfigError) as caught:
        Transforms(tmp_path)
    assert advice in str(caught.value)


def test_an_example_in_another_form_is_refused(tmp_path):
    (tmp_path / "transforms.py").write_text(ADDED.replace('"-" -> null', "- gives nothing"), "utf-8")
    with pytest.raises(ValueError, match=r'transform stated: write the example .* as "value" -> "result"'):
        catalogue(tmp_path)


def test_it_works_on_whole_columns(added):
    _, change, _ = Transforms(added / "mappings").named({"office": "Cục"})
    assert pl.DataFrame({"v": ["A  B", None]}).select(change(pl.col("v"))).rows() == [("Cục A B",), (None,)]

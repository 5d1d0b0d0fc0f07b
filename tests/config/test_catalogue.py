from pathlib import Path

import pytest

from oncehub.config.catalogue import config_files, load_connector, load_connectors, stale_config_schemas
from oncehub.config.entities import load_entities
from oncehub.errors import ConfigError
from oncehub.settings import Settings, load_settings

NPDB_ITEMS_STATED = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23, 24, 25}
"""Items of Luật Căn cước 26/2023/QH15 Điều 9 that a source here states; no source states 19 and 26."""


def test_the_five_sources_have_connectors() -> None:
    assert set(load_connectors(load_settings())) == {"population", "portal", "tax", "customs", "banking"}


def test_every_configuration_file_of_the_project_is_sound() -> None:
    files = list(config_files(load_settings()))
    for path, model in files:
        model.load(path)
    assert len(files) > 20


def test_exported_schemas_are_up_to_date() -> None:
    assert stale_config_schemas(load_settings()) == []


def test_a_connector_must_bear_its_folders_name(tmp_path: Path) -> None:
    settings = load_settings()
    text = (settings.connectors / "tax" / "connector.yaml").read_text("utf-8")
    (tmp_path / "connectors" / "taxes").mkdir(parents=True)
    (tmp_path / "connectors" / "taxes" / "connector.yaml").write_text(text, "utf-8")
    other = Settings(tmp_path, tmp_path, None)
    with pytest.raises(ConfigError, match="write source: taxes"):
        load_connector(other, "taxes")
    with pytest.raises(ConfigError, match=r"no connector 'tx'.*there are: taxes"):
        load_connector(other, "tx")


def test_the_person_states_the_registers_items_with_term_and_source() -> None:
    person = load_entities(load_settings().schemas)["person"]
    assert {part.npdb for part in person.attributes.values() if part.npdb} == NPDB_ITEMS_STATED
    for name, part in person.attributes.items():
        assert part.npdb is None or "Luật Căn cước 26/2023/QH15" in part.description, name


def test_a_schema_with_a_type_the_store_has_no_column_for_is_reported(tmp_path: Path) -> None:
    (tmp_path / "canonical").mkdir()
    (tmp_path / "canonical" / "odd.json").write_text(
        '{"type": "object", "properties": {"n": {"type": "number"}}}'
    )
    with pytest.raises(ConfigError, match=r"odd.json: properties.n: type \['number'\].*has no column"):
        load_entities(tmp_path)

from __future__ import annotations

import copy

import pytest

from oncehub.config.connector import Connector
from oncehub.normalize.compatibility import breaking_changes
from oncehub.normalize.contract.contract import Contract
from oncehub.normalize.definition import load_definition
from oncehub.settings import Settings

from ..configuration import ROOT, STREAMS


def definition_of(source, stream):
    connector = Connector.load(ROOT / f"connectors/{source}/connector.yaml")
    return load_definition(Settings(ROOT, ROOT / "var", None), connector, stream)


TAX = definition_of("tax", "registrations")


def broken(change, definition=TAX):
    """What breaks when `change` is done to a copy of the contract's schema."""
    schema = copy.deepcopy(definition.contract.schema)
    change(schema)
    return breaking_changes(definition.contract, Contract(schema), definition)


@pytest.mark.parametrize(("source", "stream"), STREAMS)
def test_the_same_contract_breaks_nothing(source, stream):
    assert broken(lambda schema: None, definition_of(source, stream)) == []


def test_a_field_that_is_read_and_gone_is_named():
    assert broken(lambda schema: schema["properties"].pop("hoTen")) == [
        "hoTen: is no longer in the contract, but is read"
    ]


def test_a_field_that_the_connector_alone_reads_is_named():
    def without_mark(schema):
        schema["properties"].pop("DaXoa")

    assert broken(without_mark, definition_of("population", "citizens")) == [
        "DaXoa: is no longer in the contract, but is read"
    ]


def test_a_field_in_a_list_is_reached():
    def without_number(schema):
        del schema["properties"]["SoDinhDanhCu"]["items"]["properties"]["TuNgay"]

    assert broken(without_number, definition_of("population", "citizens")) == [
        "SoDinhDanhCu.TuNgay: is no longer in the contract, but is read"
    ]


def test_a_field_of_another_type_is_named():
    assert broken(lambda schema: schema["properties"]["gioiTinh"].update(type="integer")) == [
        "gioiTinh: was string, is now integer, and is read"
    ]


def test_a_listed_value_that_the_mapping_cannot_read_is_named():
    listed = ["0", "1", "2"]
    [change] = broken(lambda schema: schema["properties"]["gioiTinh"].update(enum=listed))
    assert change == "person.sex: the contract allows '2' for gioiTinh, which code list sex_1_0 cannot read"


def test_a_field_that_is_required_no_more_is_named_with_what_needs_it():
    [change] = broken(lambda schema: schema["required"].remove("hoTen"))
    assert change.startswith("person.full_name: is required, but a record may lack hoTen")
    key, attribute = broken(lambda schema: schema["required"].remove("mst"))
    assert "streams.registrations.key: mst may be absent or null" in key
    assert attribute.startswith("tax_registration.tax_code: is required, but a record may lack mst")


def test_what_is_added_loosened_or_dropped_where_nothing_reads_it_breaks_nothing():
    def loosened(schema):
        schema["properties"]["mới"] = {"type": "string"}
        schema["properties"]["hoTen"].pop("minLength")
        schema["required"].append("mới")

    assert broken(loosened) == []


def test_what_was_wrong_before_is_no_change():
    def unassured(schema):
        schema["required"].remove("hoTen")

    old = copy.deepcopy(TAX.contract.schema)
    unassured(old)
    new = copy.deepcopy(old)
    new["properties"]["gioiTinh"]["enum"] = ["0", "7"]
    [change] = breaking_changes(Contract(old), Contract(new), TAX)
    assert change.startswith("person.sex: ")

"""From the WSDL that `spyne` writes of its service, a connector is drafted that reads the service."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
import yaml

from oncehub.authoring.draft import write_draft
from oncehub.authoring.wsdl import draft_from_wsdl
from oncehub.config.catalogue import load_connector
from oncehub.config.connection import Connection
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import ConfigError
from oncehub.settings import Settings

from ..conftest import ROOT
from .people import NOW, People
from .serving import wsgi


def test_a_drafted_connector_reads_the_service(tmp_path: Path) -> None:
    soap = pytest.importorskip(f"{__package__}.soap", reason="spyne runs on Python 3.11 only")
    for folder in ("schemas/canonical", "mappings/codes", "mappings/rules"):
        (tmp_path / folder).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / folder).symlink_to(ROOT / folder)
    people = People(7)
    with wsgi(soap.application(people, set())) as host:
        description = tmp_path / "people.wsdl"
        description.write_bytes(requests.get(f"{host}/people?wsdl", timeout=10).content)
        settings = Settings(tmp_path, tmp_path / "home", None)
        [file, *_] = write_draft(settings, "people", draft_from_wsdl(description))
        document = yaml.safe_load(file.read_text("utf-8"))
        stream = document["streams"]["changed"]
        assert stream["pages"]["total"] == "Body.changedResponse.changedResult.total"
        stream["pages"]["size"]["value"] = 3
        document["auth"] = {"kind": "username_token"}
        file.write_text(yaml.safe_dump(document), "utf-8")
        connection = Connection(host, login=soap.LOGIN, password=soap.PASSWORD)
        with Source(load_connector(settings, "people"), connection) as source:
            pages = list(source.pages("changed", Window(None, NOW)))
    assert [record["fullName"] for page in pages for record in page.records] == [
        each.name for each in people.changed()
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("<a/>", "is no WSDL 1.1|no operation returns"),
        ("no xml", "is no WSDL 1.1"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "is no WSDL 1.1"),
        (
            '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/"><import namespace="u"'
            ' location="https://elsewhere.invalid/x.wsdl"/></definitions>',
            "does not lie beside it",
        ),
        (
            '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/"><import namespace="u"'
            ' location="../../etc/passwd"/></definitions>',
            "does not lie beside it",
        ),
    ],
)
def test_what_is_no_description_is_refused_and_nothing_is_fetched(
    text: str, complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.wsdl"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=complaint):
        draft_from_wsdl(path)

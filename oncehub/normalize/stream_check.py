"""What is wrong with the files of one stream, found before it is read."""

from __future__ import annotations

from oncehub.config.connector import Connector
from oncehub.errors import ConfigError
from oncehub.normalize.contract_coverage import coverage_faults
from oncehub.normalize.definition import load_definition
from oncehub.normalize.named_fields import absence_faults
from oncehub.normalize.normalizer import Normalizer
from oncehub.normalize.samples import sample_faults
from oncehub.settings import Settings


def check_stream(settings: Settings, connector: Connector, stream: str) -> None:
    """Check what a stream could not be read with, and what would be rejected every night.

    The latter are fields that every record needs and the contract does not require, listed values that the
    mapping cannot read, and samples that do not meet the contract.

    Raises:
        ConfigError: one line a fault, with file, line and column, or for a sample the record's number.
    """
    definition = load_definition(settings, connector, stream)
    Normalizer(definition)
    faults = [
        *absence_faults(connector, stream, definition.contract),
        *coverage_faults(definition),
        *sample_faults(definition),
    ]
    if faults:
        raise ConfigError("\n".join(faults))

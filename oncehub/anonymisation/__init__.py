"""Records without what they say about anybody: masked for a screen, with substitutes for a recording."""

from oncehub.anonymisation.anonymiser import masked, masked_text
from oncehub.anonymisation.non_personal_fields import (
    recordable_fields,
    showable,
    shown_attributes,
    shown_fields,
    shown_values,
)
from oncehub.anonymisation.substitutes import Substitutes, substituted

__all__ = [
    "Substitutes",
    "masked",
    "masked_text",
    "recordable_fields",
    "showable",
    "shown_attributes",
    "shown_fields",
    "shown_values",
    "substituted",
]

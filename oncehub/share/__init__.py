"""Answer agencies: agreements decide, look-ups and prefills answer, feeds tell what changed."""

from oncehub.share.access.database_access import apply_agreements
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.procedures import load_procedures, named
from oncehub.share.corrections.publish import corrected_sources, publish_corrections
from oncehub.share.delivery.sequence import PublishReport
from oncehub.share.feeds.entries import FeedPage, publish, read_changes
from oncehub.share.forms.prefill import (
    FilledForm,
    FilledItem,
    FormRequest,
    MissingItem,
    find_for_form,
    prefill,
    require_living,
)
from oncehub.share.people.lookup import Believed, Person, find_person

__all__ = [
    "Believed",
    "FeedPage",
    "FilledForm",
    "FilledItem",
    "FormRequest",
    "MissingItem",
    "Person",
    "PublishReport",
    "apply_agreements",
    "corrected_sources",
    "find_for_form",
    "find_person",
    "load_agreements",
    "load_procedures",
    "named",
    "prefill",
    "publish",
    "publish_corrections",
    "read_changes",
    "require_living",
]

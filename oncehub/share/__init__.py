"""Answer agencies: agreements decide, look-ups and prefills answer, feeds tell what changed."""

from oncehub.share.agreements import load_agreements
from oncehub.share.corrections import corrected_sources, publish_corrections
from oncehub.share.feeds import FeedPage, publish, read_changes
from oncehub.share.lookup import Believed, Person, find_person
from oncehub.share.prefill import (
    AskedItem,
    FilledForm,
    FilledItem,
    FormRequest,
    find_for_form,
    prefill,
    require_living,
)
from oncehub.share.procedures import load_procedures, named
from oncehub.share.publishing import PublishReport
from oncehub.share.wall import apply_agreements

__all__ = [
    "AskedItem",
    "Believed",
    "FeedPage",
    "FilledForm",
    "FilledItem",
    "FormRequest",
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

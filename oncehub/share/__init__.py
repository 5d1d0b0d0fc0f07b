"""Answer agencies: agreements decide, look-ups and prefills answer, feeds tell what changed."""

from oncehub.share.agreements import load_agreements, load_procedures
from oncehub.share.feeds import FeedPage, PublishReport, publish, read_changes
from oncehub.share.lookup import Believed, Person, find_person
from oncehub.share.prefill import AskedItem, FilledItem, Form, find_for_form, prefill, require_living

__all__ = [
    "AskedItem",
    "Believed",
    "FeedPage",
    "FilledItem",
    "Form",
    "Person",
    "PublishReport",
    "find_for_form",
    "find_person",
    "load_agreements",
    "load_procedures",
    "prefill",
    "publish",
    "read_changes",
    "require_living",
]

"""Device shadow documents: requests, merging, deltas, answers. Pure; cloud and edge use it."""

from hedgerow.core.shadow.document import Shadow, Update, delta, updated
from hedgerow.core.shadow.errors import ShadowError
from hedgerow.core.shadow.messages import (
    Texts,
    accepted,
    current,
    deleted,
    delta_message,
    documents,
    encoded,
    rejected,
    texts_of,
)
from hedgerow.core.shadow.requests import maybe_token, token_of, update_of

__all__ = [
    "Shadow",
    "ShadowError",
    "Texts",
    "Update",
    "accepted",
    "current",
    "deleted",
    "delta",
    "delta_message",
    "documents",
    "encoded",
    "maybe_token",
    "rejected",
    "texts_of",
    "token_of",
    "update_of",
    "updated",
]

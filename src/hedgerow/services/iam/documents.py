"""Policy documents as IAM takes and answers them."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from hedgerow.core.policy import Dialect, MalformedPolicy, validate
from hedgerow.services.iam.errors import LimitExceeded, MalformedPolicyDocument

MANAGED_SIZE: Final = 6144
TRUST_SIZE: Final = 2048
ROLE_INLINE_SIZE: Final = 10240  # of all inline policies together
USER_INLINE_SIZE: Final = 2048
GROUP_INLINE_SIZE: Final = 5120


def checked(document: str, dialect: Dialect) -> str:
    """Answer the document; raise MalformedPolicyDocument when it is no policy of that kind."""
    try:
        validate(document, dialect)
    except MalformedPolicy as error:
        raise MalformedPolicyDocument(str(error)) from error
    return document


def check_size(documents: Iterable[str], limit: int, quota: str) -> None:
    """Raise LimitExceeded when the documents, white space not counted, are longer than the limit."""
    if sum(len("".join(document.split())) for document in documents) > limit:
        raise LimitExceeded(f"Cannot exceed quota for {quota}: {limit}")


def on_the_wire(document: str) -> str:
    """Answer the document as IAM's answers carry it: percent-encoded."""
    return quote(document, safe="-_.~")

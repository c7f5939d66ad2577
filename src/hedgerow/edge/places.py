"""Where files, keys and certificates stand, as the configuration says it: a path, a `file:` URI, or in a token.

Leaves to others: whether they are there.
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from hedgerow.edge.pkcs11.uri import PRIVATE, SCHEME, KeyPlace, NoUri, Pkcs11Uri
from hedgerow.edge.section import Report


def path_below(root: Path, text: str) -> Path:
    """Answer the path that a key says; an absolute one stays what it is."""
    if text.startswith("file:"):  # as the nucleus has it beside pkcs11:
        text = unquote(urlsplit(text).path)
    return root / text


def file_at(root: Path, text: str, report: Report) -> Path:
    """Answer the path of what must be a file; what is none is in the report then."""
    if text.startswith(SCHEME):
        report.wrong.append(f"{text} must be a file: only private keys and certificateFilePath can be in a token")
    return path_below(root, text)


def place_at(root: Path, text: str, report: Report, *, type: str = PRIVATE) -> KeyPlace:  # noqa: A002  # the URI's word
    """Answer the place of what may be in a token; what cannot be read is in the report then."""
    if not text.startswith(SCHEME):
        return path_below(root, text)
    try:
        return Pkcs11Uri.of(text, type=type)
    except NoUri as error:
        report.wrong.append(f"{text.partition('?')[0]} names nothing in a token: {error}")
        return root

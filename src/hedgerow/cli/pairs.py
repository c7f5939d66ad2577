"""NAME=VALUE on the command line: options that may be repeated, each name once."""

from collections.abc import Iterable

from hedgerow.base.errors import Unusable


def pairs(option: str, texts: Iterable[str]) -> dict[str, str]:
    """Answer the values by their names; raise Unusable for what is no pair, and for a name that is given twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise Unusable(f"{option} takes NAME=VALUE, not {text}")
        if name in found:
            raise Unusable(f"{option} {name} is given twice")
        found[name] = value
    return found

"""An account: twelve digits under which everything else stands."""

import re
from dataclasses import dataclass
from typing import Final

_ID: Final = re.compile(r"[0-9]{12}")
_DIGITS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account. The first one of a cloud may make others."""

    id: str
    first: bool
    created_at: float


def is_account_id(text: str) -> bool:
    """Tell whether the text is twelve digits."""
    return _ID.fullmatch(text) is not None


def account_id(chance: str) -> str:
    """Make an id from random hexadecimal digits; never with a leading zero, which tools tend to lose."""
    return str(10 ** (_DIGITS - 1) + int(chance, 16) % (9 * 10 ** (_DIGITS - 1)))

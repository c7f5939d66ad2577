"""The console's pages by their addresses, so that a sign-in link can name one: ours, and nothing else."""

import re
from typing import Final
from urllib.parse import quote

START: Final = "/"
PAGES: Final = ("/", "/faults", "/onboarding", "/onboarding/waiting", "/onboarding/record")
_DEVICE: Final = re.compile(r"/device/[^/\\]+")


def is_page(path: str) -> bool:
    """Tell whether a path, decoded, is a page that somebody can look at."""
    return path in PAGES or bool(_DEVICE.fullmatch(path))


def own_page(path: str) -> str:
    """Answer the address of a page as a header and HTML can have it; of anything that is none the start page's."""
    return quote(path, safe="/") if is_page(path) else START

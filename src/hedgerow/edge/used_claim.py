"""What becomes of a claim once the device is somebody: it is removed, so that who gets the device gets no claim.

Only what lies below the edge's own folder is its own; a claim elsewhere may be others', too, and stays, as does one
that was put there later. It comes after the switch to the identity, and is done again at every start until it is done:
a power cut leaves at worst a claim that is not used any more. Leaves to others: what a claim is good for
(`provisioning.py`).
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from hedgerow.base.errors import Unavailable
from hedgerow.base.files import Files
from hedgerow.base.log import get_logger
from hedgerow.edge.configuration import Claim

_log = get_logger("edge.provisioning")


def sign_of(claim: Claim) -> str:
    """Answer what a claim is known by later, "" when its certificate cannot be read. Blocks."""
    try:
        return hashlib.sha256(claim.certificate.read_bytes()).hexdigest()
    except OSError:
        return ""


def removed(
    claim: Claim, used: str, root: Path, files: Files, say: Callable[[str], None] = lambda _: None
) -> list[Path]:
    """Remove the claim's key, then its certificate, if it is the one that was used; answer what was removed now.

    What cannot be removed is said. Never fails. Blocks.
    """
    gone: list[Path] = []
    stays = claim.keep or not used or sign_of(claim) != used
    places = [] if stays else [claim.private_key, claim.certificate]
    for place in places:
        if not (isinstance(place, Path) and place.is_file()):
            continue
        if not place.parent.resolve().is_relative_to(root.resolve()):
            fields = {"file": str(place), "cause": "it is not below the edge's folder"}
            _log.info("the claim stays", extra={"fields": fields})
            continue
        try:
            files.remove(place)
        except Unavailable as error:  # a part of the disk that is read only; nobody uses the claim any more
            _log.warning("the claim stays", extra={"fields": {"file": str(place), "cause": str(error)}})
            say(f"warning: the claim has done its work, but {place} stays: {error}")
            break  # by its certificate it is known at the next start
        gone.append(place)
    return gone

"""What an edge writes goes to places of their own: a key in the claim's place would be every device's key.

Nor may the certificate be written over its key, or the CA. Leaves to others: whether anything is there.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hedgerow.edge.pkcs11.uri import KeyPlace, Pkcs11Uri

if TYPE_CHECKING:
    from hedgerow.edge.configuration import Configuration

Places = Mapping[str, KeyPlace | None]


def clashes(configuration: "Configuration") -> list[str]:
    """Say which places of the device's own key and certificate are something else's, too. Blocks."""
    own, others = _places(configuration)
    found = []
    mine = [(name, place) for name, place in own.items() if place is not None]
    for number, (name, place) in enumerate(mine):
        rest = [*mine[number + 1 :], *others.items()]
        found += [
            f"{name} and {other} are the same, {place}"
            for other, its in rest
            if its is not None and _of(its) == _of(place)
        ]
    return found


def _places(configuration: "Configuration") -> tuple[Places, Places]:
    claim, vending = configuration.claim, configuration.vending
    others: dict[str, KeyPlace | None] = {"rootCaPath": configuration.root_ca}
    if claim is not None:
        key = "privateKeyPath" if claim.csr_private_key is None else "csrPrivateKeyPath"
        others |= {
            "claimCertificatePrivateKeyPath": claim.private_key,
            "claimCertificatePath": claim.certificate,
            "csrPath": claim.csr,
        }
        return {key: claim.csr_private_key or claim.new_private_key, "certificatePath": claim.new_certificate}, others
    if vending is not None:
        others |= {"serialNumberPath": vending.serial.file, "tokenPath": vending.token.file}
        return {"privateKeyPath": vending.new_private_key, "certificatePath": vending.new_certificate}, others
    return {}, others


def _of(place: KeyPlace) -> object:
    return place.object if isinstance(place, Pkcs11Uri) else place.resolve()

"""Builds explanations of devices' rights, and enters their rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from hedgerow.cloud.device_standing import DeviceStanding
from hedgerow.cloud.operations import hedgerow as rows
from hedgerow.cloud.registry import Stores
from hedgerow.cloud.rows import Tables
from hedgerow.services.hedgerow.explanations import DeviceRights, ExplanationOperations
from hedgerow.store import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """What the registry knows of devices' rights. It holds nothing of its own."""

    stores: Stores

    def certificates_of(self, tx: Tx, account: str, thing: str) -> Sequence[str] | None:
        things = self.stores.things
        if not things.exists(tx, account, thing):
            return None
        return [link.principal for link in things.principals_of(tx, account, thing)]

    def rights(self, tx: Tx, account: str, certificate_id: str, client_id: str) -> DeviceRights | None:
        certificate = self.stores.certificates.get(tx, account, certificate_id)
        if certificate is None:
            return None
        standing = DeviceStanding(certificates=self.stores.certificates, things=self.stores.things)
        thing, _, variables = standing.of(tx, account, certificate, client_id or None)
        names = [] if thing is None else [thing.name]
        return DeviceRights(
            certificate_id=certificate_id,
            status=certificate.status.value,
            thing=None if thing is None else thing.name,
            documents=self.stores.effective().of(tx, account, certificate_id, names),
            variables=variables,
        )


def build_explanations(*, tables: Tables, stores: Stores) -> None:
    """Build them."""
    explanations = ExplanationOperations(devices=Devices(stores=stores))
    tables.serve("hedgerow", rows.explanation_rows(explanations=explanations))

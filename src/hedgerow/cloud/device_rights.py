"""What a device's certificate may ask of the credential provider: its IoT policies, with the thing that it names.

There is no MQTT connection whose client id would name the thing; the request's header does.
"""

from dataclasses import dataclass

from hedgerow.cloud.device_standing import DeviceStanding
from hedgerow.cloud.standing import compiled
from hedgerow.core.policy import Context, Dialect, Verdict
from hedgerow.services.iot.certificates import CertificateStore, Status
from hedgerow.services.iot.claims import ClaimReader
from hedgerow.services.iot.policies import EffectivePolicies
from hedgerow.store import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRights:
    """Implements the port `DeviceRights` of the credential provider. It holds nothing of its own."""

    certificates: CertificateStore
    effective: EffectivePolicies
    standing: DeviceStanding
    claims: ClaimReader

    def decide(
        self,
        tx: Tx,
        account: str,
        certificate_id: str,
        thing: str | None,
        action: str,
        resource: str,
        context: Context,
    ) -> Verdict | None:
        """Decide for an attached thing, or for none; None when the certificate is of no use by now."""
        certificate = self.certificates.get(tx, account, certificate_id)
        if certificate is None or certificate.status is not Status.ACTIVE:
            return None
        if self.claims.of(tx, account, certificate_id) is not None:
            return None
        named, _, variables = self.standing.of(tx, account, certificate, thing)
        variables.pop("iot:ClientId", None)  # the thing's name stood in for it
        documents = self.effective.of(tx, account, certificate_id, [] if named is None else [named.name])
        return compiled(documents, Dialect.IOT, variables).decide(action, resource, context)

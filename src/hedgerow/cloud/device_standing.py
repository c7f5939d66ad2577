"""What a certificate's connection brings along: the thing that it speaks for, and the policy variables of both.

The thing is the one that is attached exclusively, else the one whose name is the client id and that the certificate is
attached to. The same for connections and for TestAuthorization.
"""

from dataclasses import dataclass

from hedgerow.cloud.directory import certificate_variables
from hedgerow.services.iot.certificates import Certificate, CertificateStore
from hedgerow.services.iot.policies import Standing
from hedgerow.services.iot.things import Thing, ThingStore
from hedgerow.store import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStanding:
    """Reads it. It holds nothing of its own."""

    certificates: CertificateStore
    things: ThingStore

    def of(
        self, tx: Tx, account: str, certificate: Certificate, client_id: str | None
    ) -> tuple[Thing | None, bool, dict[str, str]]:
        """Answer the thing, whether it is attached exclusively, and the variables."""
        thing, exclusive = self.things.spoken_for(tx, account, certificate.id, client_id)
        variables = certificate_variables(certificate, thing)
        variables["iot:Connection.Thing.IsAttached"] = "false" if thing is None else "true"
        if client_id is not None:
            variables["iot:ClientId"] = client_id
        return thing, exclusive, variables

    def standing(self, tx: Tx, account: str, certificate_id: str, client_id: str | None) -> Standing | None:
        """Answer what a connection with this certificate and client id would have; None without the certificate."""
        certificate = self.certificates.get(tx, account, certificate_id)
        if certificate is None:
            return None
        thing, _, variables = self.of(tx, account, certificate, client_id)
        return Standing(things=() if thing is None else (thing.name,), variables=variables)

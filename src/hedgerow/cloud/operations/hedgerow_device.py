"""The table of operations: what AWS answers to devices and describes in no service model."""

from hedgerow.api.operations import Row, write
from hedgerow.services.sts.sessions import DeviceCredentialOperations

_OPEN = ""  # no right is asked for before


def rows(*, credentials: DeviceCredentialOperations) -> dict[str, Row]:
    """Answer the rows of this service that deal with credentials. The operation asks for the right itself."""
    alias = "arn:aws:iot:{region}:{account}:rolealias/{roleAlias}"
    return {"AssumeRoleWithCertificate": write(credentials.assume_role_with_certificate, alias, action=_OPEN)}

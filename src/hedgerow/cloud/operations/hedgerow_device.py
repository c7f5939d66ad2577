"""The table of operations: what AWS answers to devices and describes in no service model."""

from collections.abc import Callable

from hedgerow.api.operations import Row, flow, write
from hedgerow.services.iot.rotation import RotationFlows, RotationFollowUps, RotationOperations
from hedgerow.services.sts.sessions import DeviceCredentialOperations
from hedgerow.store import Answer, FollowUp, Tx

_OPEN = ""  # no right is asked for before


def rows(*, credentials: DeviceCredentialOperations) -> dict[str, Row]:
    """Answer the rows of this service that deal with credentials. The operation asks for the right itself."""
    alias = "arn:aws:iot:{region}:{account}:rolealias/{roleAlias}"
    return {"AssumeRoleWithCertificate": write(credentials.assume_role_with_certificate, alias, action=_OPEN)}


def rotation_rows(*, flows: RotationFlows, rotations: RotationOperations) -> dict[str, Row]:
    """Answer the rows by which a device trades its certificate; one right for both."""
    right = "hedgerow:RotateCertificate"
    return {
        "RotateCertificate": flow(flows.rotate_certificate, action=right),
        "ConfirmCertificateRotation": write(rotations.confirm_certificate_rotation, action=right),
    }


def rotation_follow_up_rows(*, rotations: RotationFollowUps) -> dict[str, Callable[[Tx, FollowUp], Answer]]:
    """Answer the handler of rotations that were not confirmed."""
    return {"iot.rotation-over": rotations.on_over}

"""Builds how devices trade their certificates for new ones."""

from hedgerow.cloud.device_authority import DeviceAuthority
from hedgerow.cloud.operations import hedgerow_device as device_rows
from hedgerow.cloud.registry import Registry
from hedgerow.cloud.rows import Tables
from hedgerow.services.iot.rotation import RotationFlows, RotationFollowUps, RotationOperations, RotationStore, Steps
from hedgerow.store import Run


def build_rotation(*, tables: Tables, run: Run, registry: Registry, authority: DeviceAuthority) -> None:
    """Build it and enter its rows."""
    rotations = RotationOperations(
        rotations=RotationStore(),
        steps=Steps(
            attach_thing_principal=registry.principals.attach_thing_principal,
            detach_thing_principal=registry.principals.detach_thing_principal,
            attach_policy=registry.attachments.attach_policy,
            detach_policy=registry.attachments.detach_policy,
            update_certificate=registry.certificates.update_certificate,
        ),
        certificates=registry.stores.certificates,
        entries=registry.certificates,
        things=registry.stores.things,
        policies=registry.stores.policies,
    )
    flows = RotationFlows(run=run, rotations=rotations, authority=authority)
    tables.serve("hedgerow-device", device_rows.rotation_rows(flows=flows, rotations=rotations))
    tables.follow(device_rows.rotation_follow_up_rows(rotations=RotationFollowUps(rotations=rotations)))

"""What this edge really runs with, written down as `config/effectiveConfig.yaml` at every start. Never read back."""

from typing import Any

from hedgerow.base.files import Files
from hedgerow.edge.configuration import NUCLEUS, Configuration
from hedgerow.edge.identity import Identity
from hedgerow.edge.layout import Layout
from hedgerow.edge.pkcs11.settings import PROVIDER


def write_effective(settings: Configuration, identity: Identity, layout: Layout, files: Files) -> None:
    """Write the file in the nucleus' form. Blocks."""
    import yaml

    mqtt = settings.mqtt
    document: dict[str, Any] = {
        "system": {
            "rootpath": str(settings.root),
            "thingName": identity.thing_name,
            "certificateFilePath": str(identity.certificate),
            "privateKeyPath": str(identity.private_key),
            "rootCaPath": str(settings.root_ca),
        },
        "services": {
            NUCLEUS: {
                "componentType": "NUCLEUS",
                "configuration": {
                    "awsRegion": settings.region,
                    "iotRoleAlias": settings.role_alias,
                    "iotDataEndpoint": settings.mqtt_endpoint.host,
                    "iotCredEndpoint": str(settings.credentials or ""),
                    "greengrassDataPlaneEndpoint": settings.data_plane.host,
                    "greengrassDataPlanePort": settings.data_plane.port,
                    "runWithDefault": {"posixUser": settings.default_user, "posixShell": settings.shell},
                    "mqtt": {
                        "port": settings.mqtt_endpoint.port,
                        "version": f"mqtt{5 if mqtt.version == 5 else 3}",
                        "keepAliveTimeoutMs": mqtt.keep_alive_s * 1000,
                        "maxInFlightPublishes": mqtt.max_in_flight,
                        "spooler": {"maxSizeInBytes": mqtt.spool_bytes, "storageType": "Disk"},
                    },
                },
            }
        },
    }
    if settings.token is not None:  # but for its PIN
        token = {"name": settings.token.name, "library": str(settings.token.library), "slot": settings.token.slot}
        document["services"][PROVIDER] = {"componentType": "PLUGIN", "configuration": token}
    text = yaml.safe_dump(document, sort_keys=False)
    files.write_durably(layout.config / "effectiveConfig.yaml", text.encode(), mode=0o644)

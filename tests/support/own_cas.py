"""Stock tools of devices of an own CA: openssl makes and proves the CA, mosquitto and openssl connect."""

import subprocess
from typing import Any

from hedgerow.testing import TestCloud
from tests.support.openssl import OpenSsl, Pair

CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04lamp"
"""MQTT 3.1.1, clean session, client id `lamp`."""


def register_ca(cloud: TestCloud, openssl: OpenSsl, ca: Pair, **more: Any) -> str:
    iot = cloud.client("iot")
    code = iot.get_registration_code()["registrationCode"]
    proof = openssl.signed(ca, f"/CN={code}")
    made = iot.register_ca_certificate(caCertificate=ca.pem, verificationCertificate=proof.pem, **more)
    return str(made["certificateId"])


def publish(cloud: TestCloud, pair: Pair, host: str = "localhost") -> int:
    """Publish once with mosquitto and answer its exit status."""
    ready = cloud.process.ready
    files = ["--cafile", ready["ca_file"], "--cert", str(pair.certificate), "--key", str(pair.key)]
    where = ["-h", host, "-p", str(ready["mqtt_port"])]
    what = ["-i", "lamp", "-t", "a", "-m", "x", "-q", "1"]
    command = ["mosquitto_pub", *files, *where, *what]
    return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode


def shakes_hands(cloud: TestCloud, pair: Pair, server_name: str) -> bytes:
    """Connect with openssl under a server name, send CONNECT, and answer what came back until the end."""
    ready = cloud.process.ready
    where = ["-connect", f"localhost:{ready['mqtt_port']}", "-servername", server_name, "-quiet"]
    files = ["-CAfile", ready["ca_file"], "-cert", str(pair.certificate), "-key", str(pair.key)]
    disconnect = b"\xe0\x00"
    done = subprocess.run(
        ["openssl", "s_client", *where, *files],
        input=CONNECT + disconnect,
        capture_output=True,
        check=False,
        timeout=30,
    )
    return done.stdout

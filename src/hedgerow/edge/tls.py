"""TLS towards the cloud: trust in one CA file only, and a client certificate."""

import ssl
from pathlib import Path

from hedgerow.edge.trouble import Trouble


def mutual(*, root_ca: Path, certificate: Path, private_key: Path, alpn: str | None = None) -> ssl.SSLContext:
    """Make the context for mutual TLS; raise Trouble, naming the file, when one cannot be used. Blocks."""
    context = trusting(root_ca)
    for path in (certificate, private_key):
        _readable(path)
    try:
        context.load_cert_chain(certificate, private_key)
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise Trouble(
            f"cannot use the certificate {certificate} with the key {private_key}: {reason}", permanent=True
        ) from error
    if alpn is not None:
        context.set_alpn_protocols([alpn])
    return context


def trusting(root_ca: Path, *, also_public: bool = False) -> ssl.SSLContext:
    """Make a context that trusts this file, and the machine's public CAs only when asked to. Blocks."""
    _readable(root_ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(root_ca)
    except (ssl.SSLError, OSError) as error:
        raise Trouble(f"rootCaPath {root_ca} holds no certificate that can be used", permanent=True) from error
    if also_public:
        context.load_default_certs()
    return context


def _readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise Trouble(f"cannot read {path}: {error.strerror}", permanent=True) from error

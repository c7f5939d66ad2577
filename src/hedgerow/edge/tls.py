"""TLS towards the cloud: trust in one CA file only, and a client certificate."""

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from hedgerow.edge.keys import token_for
from hedgerow.edge.pkcs11.uri import KeyPlace
from hedgerow.edge.trouble import Trouble

if TYPE_CHECKING:
    from hedgerow.edge.pkcs11.token import Token


def mutual(
    *,
    root_ca: Path,
    certificate: Path,
    private_key: KeyPlace,
    token: "Token | None" = None,
    alpn: str | None = None,
) -> ssl.SSLContext:
    """Make the context for mutual TLS; raise Trouble, naming what cannot be used, and why. Blocks."""
    context = trusting(root_ca)
    _readable(certificate)
    if isinstance(private_key, Path):
        _load(context, certificate, private_key)
    else:
        from hedgerow.edge.pkcs11 import openssl  # late: only a device with a token needs it

        openssl.use(context, certificate, token_for(private_key, token), private_key)
    if alpn is not None:
        context.set_alpn_protocols([alpn])
    return context


def _load(context: ssl.SSLContext, certificate: Path, private_key: Path) -> None:
    _readable(private_key)
    try:
        context.load_cert_chain(certificate, private_key, password="")  # or OpenSSL asks a terminal, and waits
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise Trouble(
            f"cannot use the certificate {certificate} with the key {private_key}: {reason}", permanent=True
        ) from error


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

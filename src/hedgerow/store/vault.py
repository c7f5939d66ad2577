"""Encryption at rest: CA keys, secrets and tokens are sealed with a master key that stands outside the data folder.

AES-256-GCM. A sealed value is `HV1`, four bytes that tell keys apart, a 12 byte nonce, the ciphertext with its tag.
The context (`ca/<account>/<id>`) is authenticated with it, so that a value cannot be moved to another place.
Where the key comes from: HEDGEROW_MASTER_KEY (base64), HEDGEROW_MASTER_KEY_COMMAND (prints base64), else the file
`~/.config/hedgerow/<cloud id>.key`. Neither the key nor what it opens is ever logged.
Spec: NIST SP 800-38D.
"""

import base64
import binascii
import hashlib
import os
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hedgerow.base.errors import Unavailable, Unusable
from hedgerow.base.files import Files

KEY_BYTES: Final = 32
VARIABLE: Final = "HEDGEROW_MASTER_KEY"
COMMAND: Final = "HEDGEROW_MASTER_KEY_COMMAND"
COMMAND_S: Final = 30.0
_MARK: Final = b"HV1"
_NONCE: Final = 12
_CHECK: Final = "vault.check"
_SOURCES: Final = f"the key file, {VARIABLE} or {COMMAND}"


class Vault:
    """Seals and opens values with one master key. Safe to use from several threads."""

    def __init__(self, master_key: bytes, *, chance: Callable[[int], bytes] = os.urandom) -> None:
        if len(master_key) != KEY_BYTES:
            raise Unusable(f"the master key must have {KEY_BYTES} bytes, not {len(master_key)}; check {_SOURCES}")
        self._cipher = AESGCM(master_key)
        self._key_id = hashlib.sha256(b"hedgerow master key id" + master_key).digest()[:4]
        self._chance = chance

    def __repr__(self) -> str:
        return "Vault(…)"

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Answer the value encrypted; it opens only with the same key and the same context."""
        nonce = self._chance(_NONCE)
        head = _MARK + self._key_id
        return head + nonce + self._cipher.encrypt(nonce, plain, head + context.encode())

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Answer the value; raise Unusable when the key is another, or the value is damaged or from elsewhere."""
        head, nonce, rest = sealed[:7], sealed[7 : 7 + _NONCE], sealed[7 + _NONCE :]
        if head[:3] != _MARK:
            raise Unusable(f"what is stored for {context} is no sealed value; restore it from a backup")
        if head[3:] != self._key_id:
            raise Unusable(
                f"this is not the master key that {context} was sealed with; put the right one into {_SOURCES}"
            )
        try:
            return self._cipher.decrypt(nonce, rest, head + context.encode())
        except (InvalidTag, ValueError) as error:
            raise Unusable(f"what is stored for {context} is damaged; restore it from a backup") from error


def key_file(cloud_id: str, home: Path) -> Path:
    """Answer where a cloud's master key is when nothing else is said."""
    return home / ".config" / "hedgerow" / f"{cloud_id}.key"


def load_master_key(
    cloud_id: str, environment: Mapping[str, str], home: Path, *, files: Files, create: bool = False
) -> bytes:
    """Answer the master key from the environment, a command or the key file; `create` makes the file where none is.

    Raises Unusable, with what to do, when there is none or it cannot be read.
    """
    if text := environment.get(VARIABLE):
        return _decoded(text, VARIABLE)
    if command := environment.get(COMMAND):
        return _decoded(_printed_by(command), f"the output of {COMMAND}")
    path = key_file(cloud_id, home)
    try:
        if path.stat().st_mode & 0o077:
            raise Unusable(f"others can read the master key {path}; close it with: chmod 600 {path}")
        return _decoded(path.read_text("ascii"), str(path))
    except FileNotFoundError as error:
        if not create:
            raise Unusable(
                f"the master key of this cloud is missing: put it back as {path}, or set {VARIABLE} or {COMMAND}"
            ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"cannot read the master key {path}: {error}") from error
    key = os.urandom(KEY_BYTES)
    try:
        files.make_folder(path.parent)
        files.write_durably(path, base64.b64encode(key) + b"\n", mode=0o600)
    except Unavailable as error:
        raise Unusable(f"{error}; make it writable, or set {VARIABLE} or {COMMAND}") from error
    return key


def open_vault(folder: Path, cloud_id: str, environment: Mapping[str, str], home: Path, *, files: Files) -> Vault:
    """Answer the vault of a data folder; the first time, make its key, and write down how to recognise it.

    Raises Unusable when the key is missing or is not the one that this folder's values were sealed with.
    """
    check = folder / _CHECK
    context = f"cloud {cloud_id}"
    try:
        sealed = check.read_bytes()
    except FileNotFoundError:
        vault = Vault(load_master_key(cloud_id, environment, home, files=files, create=True))
        files.write_durably(check, vault.seal(cloud_id.encode(), context=context))
        return vault
    except OSError as error:
        raise Unusable(f"cannot read {check}: {error}") from error
    vault = Vault(load_master_key(cloud_id, environment, home, files=files))
    vault.open(sealed, context=context)
    return vault


def _decoded(text: str, source: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unusable(f"{source} is not base64; a master key is {KEY_BYTES} bytes in base64") from error
    if len(key) != KEY_BYTES:
        raise Unusable(f"{source} has {len(key)} bytes; a master key is {KEY_BYTES} bytes in base64")
    return key


def _printed_by(command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # the operator's own command, without a shell
            shlex.split(command), capture_output=True, timeout=COMMAND_S, check=True
        )
        return done.stdout.decode("ascii")
    except subprocess.TimeoutExpired as error:
        raise Unusable(f"{COMMAND} gave no answer within {COMMAND_S:g} s") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Unusable(f"{COMMAND} failed with status {error.returncode}: {said[-1] if said else ''}") from None
    except (OSError, ValueError) as error:
        raise Unusable(f"{COMMAND} cannot be run: {error}") from error

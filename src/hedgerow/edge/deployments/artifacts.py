"""The files of components: fetched in pieces that survive a crash, checked against their digest, unpacked safely.

A file appears under its name only when its content is what the recipe says. Leaves to others: who may have it
(`cloud.py`), what is in it (`components/`). Only `greengrass:` artifacts are fetched; other schemes are refused.
"""

import asyncio
import base64
import hashlib
import os
import shutil
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from ssl import SSLContext
from typing import Final
from urllib.parse import urlsplit

from hedgerow.base.errors import Unavailable
from hedgerow.base.files import Files
from hedgerow.base.log import get_logger
from hedgerow.core.recipe import SHA256, Artifact
from hedgerow.edge.cloud import CloudRefused
from hedgerow.edge.configuration import Endpoint
from hedgerow.edge.deployments.failure import DeploymentCanceled, DeploymentFailed
from hedgerow.edge.layout import Layout, sync_folder
from hedgerow.edge.trouble import explained

PART: Final = ".part"
MOST_CORRUPT: Final = 3  # whole downloads with wrong content, of one artifact
FREE_BYTES: Final = 20 * 1024 * 1024  # that much of the disk stays free
_CHUNK: Final = 256 * 1024
_TIMEOUT_S: Final = 30.0
_log = get_logger("edge.artifacts")

Url = Callable[[], Awaitable[str]]
Pause = Callable[[int], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """Where an artifact is, and where its content is when it was a zip to be unpacked."""

    path: Path
    unpacked: Path | None


class Artifacts:
    """The store of one core. One download at a time."""

    def __init__(
        self,
        *,
        layout: Layout,
        files: Files,
        context: Callable[[], SSLContext],
        limit_bytes: int,
        tries: int = 10,
        pause: Pause = lambda tried: min(30.0, 0.5 * 2.0**tried),
    ) -> None:
        self._layout = layout
        self._files = files
        self._context = context
        self._limit = limit_bytes
        self._tries = tries
        self._pause = pause

    async def fetch(
        self, component: str, version: str, artifact: Artifact, url: Url, *, cancelled: threading.Event
    ) -> Fetched:
        """Have the artifact here, whole and checked; raise DeploymentFailed when it cannot be, Trouble when offline."""
        digest = _digest(component, artifact)
        path = self._layout.artifacts / component / version / artifact.file_name
        if not await asyncio.to_thread(_holds, path, digest):
            await self._download(path, artifact, digest, url, cancelled)
        unpacked = None
        if artifact.unarchive == "ZIP":
            unpacked = await asyncio.to_thread(self._unpack, component, version, artifact, path)
        return Fetched(path=path, unpacked=unpacked)

    def decompressed(self, component: str, version: str) -> Path:
        """Where the unpacked archives of a component version are, each under its name without `.zip`."""
        return self._layout.unarchived / component / version

    def clear(self, kept: set[tuple[str, str]]) -> None:
        """Remove the files of all component versions that are not kept. Blocks."""
        for store in (self._layout.artifacts, self._layout.unarchived):
            for folder in store.glob("*/*"):
                if (folder.parent.name, folder.name) not in kept:
                    shutil.rmtree(_writable(folder), ignore_errors=True)

    async def _download(
        self, path: Path, artifact: Artifact, digest: bytes, url: Url, cancelled: threading.Event
    ) -> None:
        await asyncio.to_thread(self._files.make_folder, path.parent, mode=0o755)
        cause, corrupt, tries = "", 0, 0
        for tried in range(self._tries):
            if tried:
                await asyncio.sleep(self._pause(tried))
            tries += 1
            try:
                await asyncio.to_thread(self._once, path, digest, artifact, await url(), cancelled)
            except CloudRefused as error:
                raise _refused(artifact, error) from error
            except _Corrupt as error:
                cause, corrupt = str(error), corrupt + 1
                _log.warning("a corrupt artifact was thrown away", extra={"fields": {"artifact": path.name}})
                if corrupt == MOST_CORRUPT:  # the fault is not on the way
                    break
            except _Interrupted as error:
                cause = str(error)
            else:
                return
        code = "ARTIFACT_CHECKSUM_MISMATCH" if "digest" in cause else "ARTIFACT_DOWNLOAD_ERROR"
        raise DeploymentFailed(
            f"the artifact {artifact.uri} could not be had in {tries} tries: {cause}",
            code,
            types=("NETWORK_ERROR",),
        )

    def _once(self, path: Path, digest: bytes, artifact: Artifact, url: str, cancelled: threading.Event) -> None:
        part = path.with_name(path.name + PART)
        have = part.stat().st_size if part.exists() else 0
        try:
            self._stream(url, part, have, cancelled)
        except (HTTPException, OSError) as error:
            raise _Interrupted(f"the download broke off: {error}") from error
        if not _holds(part, digest):
            part.unlink(missing_ok=True)
            raise _Corrupt(f"the digest of {artifact.uri} is not the one in the recipe")
        part.chmod(0o755 if artifact.execute != "NONE" else 0o644)
        self._files.rename(part, path)

    def _stream(self, url: str, part: Path, have: int, cancelled: threading.Event) -> None:
        split = urlsplit(url)
        secure = split.scheme == "https"
        endpoint = Endpoint(split.hostname or "", split.port or (443 if secure else 80))
        connection: HTTPConnection = (
            HTTPSConnection(endpoint.host, endpoint.port, timeout=_TIMEOUT_S, context=self._context())
            if secure
            else HTTPConnection(endpoint.host, endpoint.port, timeout=_TIMEOUT_S)
        )
        target = split.path + (f"?{split.query}" if split.query else "")
        try:
            connection.request("GET", target, headers={"Range": f"bytes={have}-"} if have else {})
            response = connection.getresponse()
            if response.status == 416:  # everything was there already, or the part is longer than the file
                return
            if response.status not in (200, 206):
                raise _Interrupted(f"{endpoint} answered {response.status} to the download")
            start = have if response.status == 206 else 0
            whole = start + int(response.headers.get("Content-Length") or 0)
            self._check_room(whole, part)
            if _append(part, start, response.read, cancelled, self._limit) < whole:
                raise _Interrupted("the download broke off")
        except OSError as error:
            raise _Interrupted(str(explained(error, endpoint, root_ca="rootCaPath", certificate=""))) from error
        finally:
            connection.close()

    def _check_room(self, size: int, part: Path) -> None:
        if size > self._limit:
            raise DeploymentFailed(
                f"an artifact of {size} bytes; the store may have {self._limit}", "DISK_SPACE_CRITICAL"
            )
        if shutil.disk_usage(part.parent).free - size < FREE_BYTES:
            raise DeploymentFailed(
                f"not enough disk space for an artifact of {size} bytes", "DISK_SPACE_CRITICAL", types=("DEVICE_ERROR",)
            )

    def _unpack(self, component: str, version: str, artifact: Artifact, path: Path) -> Path:
        from hedgerow.functions import PackageRefused, unpack

        folder = self.decompressed(component, version)
        self._files.make_folder(folder, mode=0o755)
        try:
            package = unpack(path, folder)
        except PackageRefused as error:
            raise DeploymentFailed(
                f"the artifact {artifact.uri} cannot be unpacked: {error}", "IO_UNZIP_ERROR", types=("COMPONENT_ERROR",)
            ) from error
        except OSError as error:
            raise Unavailable(f"cannot unpack {path}: {error}") from error
        name = folder / artifact.file_name.removesuffix(".zip")
        if not name.is_symlink():
            name.symlink_to(package.digest)
            sync_folder(folder)
        return package.folder


class _Interrupted(Exception):  # it never leaves this module
    """Nothing, or not everything, came; the next try continues."""


class _Corrupt(Exception):  # it never leaves this module
    """Everything came, and it is not what the recipe says."""


def _append(part: Path, start: int, read: Callable[[int], bytes], cancelled: threading.Event, limit: int) -> int:
    """Write what is read behind what is there, synced; answer the size that the file has then."""
    with part.open("r+b" if part.exists() else "xb") as file:
        file.seek(start)
        file.truncate()
        size = start
        while chunk := read(_CHUNK):
            if cancelled.is_set():
                raise DeploymentCanceled("cancelled while an artifact was fetched")
            size += len(chunk)
            if size > limit:
                raise DeploymentFailed(f"an artifact is larger than the store ({limit} bytes)", "DISK_SPACE_CRITICAL")
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return size


def _digest(component: str, artifact: Artifact) -> bytes:
    if artifact.scheme != "greengrass":
        raise DeploymentFailed(
            f"{component}: this edge does not fetch {artifact.scheme}: artifacts ({artifact.uri})",
            "UNSUPPORTED_ARTIFACT_SCHEME",
            types=("COMPONENT_RECIPE_ERROR",),
        )
    if artifact.algorithm != SHA256:
        raise DeploymentFailed(
            f"{component}: the recipe gives no {SHA256} for {artifact.uri}", "RECIPE_MISSING_ARTIFACT_HASH_ALGORITHM"
        )
    try:
        digest = base64.b64decode(artifact.digest or "", validate=True)
    except ValueError:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise DeploymentFailed(f"{component}: the digest of {artifact.uri} is no {SHA256}", "RECIPE_PARSE_ERROR")
    return digest


def _holds(path: Path, digest: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest() == digest
    except FileNotFoundError:
        return False


def _refused(artifact: Artifact, error: CloudRefused) -> DeploymentFailed:
    code = "GET_COMPONENT_VERSION_ARTIFACT_ACCESS_DENIED" if error.status == 403 else "ARTIFACT_DOWNLOAD_ERROR"
    types = ("PERMISSION_ERROR",) if error.status == 403 else ("CLOUD_SERVICE_ERROR",)
    return DeploymentFailed(f"the artifact {artifact.uri} is refused: {error}", code, types=types)


def _writable(folder: Path) -> Path:
    """Unpacked packages are read-only; a folder must be writable before what is in it can be removed."""
    for inner, _, _ in os.walk(folder):
        Path(inner).chmod(0o755)
    return folder

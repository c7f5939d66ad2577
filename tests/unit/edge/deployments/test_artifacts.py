import asyncio
import base64
import hashlib
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hedgerow.base.files import RealFiles
from hedgerow.core.recipe import Artifact
from hedgerow.edge import tls
from hedgerow.edge.deployments.artifacts import PART, Artifacts, Fetched
from hedgerow.edge.deployments.failure import DeploymentCanceled, DeploymentFailed
from hedgerow.edge.layout import Layout
from tests.unit.edge.pki import Pki
from tests.unit.edge.plane import Plane, serving, zipped

CONTENT = zipped(app__py="print('hello')", data__txt="x" * 300_000)


@pytest.fixture
def plane(pki: Pki) -> Iterator[Plane]:
    context = pki.listener()
    context.verify_mode = ssl.CERT_OPTIONAL
    with serving(context, Plane()) as plane:
        plane.blobs["app-1/app.zip"] = CONTENT
        yield plane


def artifact(content: bytes = CONTENT, **changes: Any) -> Artifact:
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    known = {"uri": "greengrass:app-1/app.zip", "unarchive": "ZIP", "digest": digest, "algorithm": "SHA-256"}
    return Artifact(**{**known, **changes})


def fetch(folder: Path, plane: Plane, pki: Pki, wanted: Artifact, **limits: Any) -> Fetched:
    artifacts = Artifacts(
        layout=Layout(folder),
        files=RealFiles(),
        context=lambda: tls.trusting(pki.root_ca),
        limit_bytes=limits.pop("limit_bytes", 10**9),
        tries=3,
        pause=lambda tried: 0.0,
    )
    cancelled = limits.pop("cancelled", threading.Event())

    async def url() -> str:
        return f"https://localhost:{plane.port}/blob/{wanted.name}?signature=x"

    return asyncio.run(artifacts.fetch("app", "1.0.0", wanted, url, cancelled=cancelled))


def downloads(plane: Plane) -> list[str]:
    return [headers["range"] for method, target, headers in plane.requests if target.startswith("/blob/")]


def test_an_artifact_is_fetched_checked_and_unpacked_under_its_name(tmp_path: Path, plane: Plane, pki: Pki) -> None:
    fetched = fetch(tmp_path, plane, pki, artifact())

    assert fetched.path == tmp_path / "packages/artifacts/app/1.0.0/app.zip"
    assert fetched.path.read_bytes() == CONTENT
    named = tmp_path / "packages/artifacts-unarchived/app/1.0.0/app"
    assert (named / "app.py").read_text() == "print('hello')"
    assert fetched.unpacked == named.resolve()


def test_what_is_there_and_whole_is_not_fetched_again(tmp_path: Path, plane: Plane, pki: Pki) -> None:
    fetch(tmp_path, plane, pki, artifact())
    plane.requests.clear()

    fetch(tmp_path, plane, pki, artifact())

    assert plane.requests == []


def test_a_download_that_broke_off_goes_on_where_it_was(tmp_path: Path, plane: Plane, pki: Pki) -> None:
    plane.break_after = 1000

    fetched = fetch(tmp_path, plane, pki, artifact())

    assert downloads(plane) == ["", "bytes=1000-"]
    assert fetched.path.read_bytes() == CONTENT


def test_a_download_goes_on_after_a_restart_even_when_the_last_bytes_were_lost(
    tmp_path: Path, plane: Plane, pki: Pki
) -> None:
    folder = tmp_path / "packages/artifacts/app/1.0.0"
    folder.mkdir(parents=True)
    (folder / f"app.zip{PART}").write_bytes(CONTENT[:500])

    fetched = fetch(tmp_path, plane, pki, artifact())

    assert downloads(plane) == ["bytes=500-"]
    assert fetched.path.read_bytes() == CONTENT


def test_a_part_that_was_torn_is_thrown_away_and_fetched_anew(tmp_path: Path, plane: Plane, pki: Pki) -> None:
    folder = tmp_path / "packages/artifacts/app/1.0.0"
    folder.mkdir(parents=True)
    (folder / f"app.zip{PART}").write_bytes(CONTENT[:400] + bytes(100))

    fetched = fetch(tmp_path, plane, pki, artifact())

    assert downloads(plane) == ["bytes=500-", ""]
    assert fetched.path.read_bytes() == CONTENT


def test_a_corrupt_artifact_is_refused_after_a_few_tries_and_never_appears(
    tmp_path: Path, plane: Plane, pki: Pki
) -> None:
    plane.blobs["app-1/app.zip"] = CONTENT[:-1] + b"?"

    with pytest.raises(DeploymentFailed, match="could not be had in 3 tries: the digest") as raised:
        fetch(tmp_path, plane, pki, artifact())

    assert "ARTIFACT_CHECKSUM_MISMATCH" in raised.value.codes
    assert list((tmp_path / "packages/artifacts/app/1.0.0").iterdir()) == []
    assert len(downloads(plane)) == 3


def test_a_zip_that_would_write_elsewhere_is_refused(tmp_path: Path, plane: Plane, pki: Pki) -> None:
    evil = zipped(**{"../evil": "x"})
    plane.blobs["app-1/app.zip"] = evil

    with pytest.raises(DeploymentFailed, match="would land outside"):
        fetch(tmp_path, plane, pki, artifact(evil))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"algorithm": None}, "RECIPE_MISSING_ARTIFACT_HASH_ALGORITHM"),
        ({"digest": "no base64"}, "RECIPE_PARSE_ERROR"),
        ({"uri": "docker:busybox"}, "UNSUPPORTED_ARTIFACT_SCHEME"),
        ({"uri": "s3://bucket/app.zip"}, "UNSUPPORTED_ARTIFACT_SCHEME"),
    ],
)
def test_an_artifact_that_cannot_be_checked_or_fetched_is_refused(
    tmp_path: Path, plane: Plane, pki: Pki, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(DeploymentFailed) as raised:
        fetch(tmp_path, plane, pki, artifact(**changes))

    assert code in raised.value.codes


def test_an_artifact_larger_than_the_store_is_refused_before_it_is_written(
    tmp_path: Path, plane: Plane, pki: Pki
) -> None:
    with pytest.raises(DeploymentFailed, match="the store may have 1000"):
        fetch(tmp_path, plane, pki, artifact(), limit_bytes=1000)


def test_a_cancelled_deployment_stops_its_download(tmp_path: Path, plane: Plane, pki: Pki) -> None:
    cancelled = threading.Event()
    cancelled.set()

    with pytest.raises(DeploymentCanceled):
        fetch(tmp_path, plane, pki, artifact(), cancelled=cancelled)


def test_only_the_versions_that_run_keep_their_files(tmp_path: Path, plane: Plane, pki: Pki) -> None:
    fetch(tmp_path, plane, pki, artifact())
    artifacts = Artifacts(
        layout=Layout(tmp_path), files=RealFiles(), context=lambda: tls.trusting(pki.root_ca), limit_bytes=1
    )

    artifacts.clear({("app", "1.0.0")})
    kept = (tmp_path / "packages/artifacts/app/1.0.0/app.zip").exists()
    artifacts.clear({("app", "2.0.0")})

    assert kept
    assert list((tmp_path / "packages").glob("*/*/*")) == []

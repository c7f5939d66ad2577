"""A cloud process of a test's own, which it may stop, kill and start again on the same ports."""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hedgerow.testing import CloudProcess, TestCloud, start_cloud

FLAGS = ("--no-console", "--host=localhost", "--host=127.0.0.1")


@contextmanager
def started(folder: Path, **environment: str) -> Iterator[CloudProcess]:
    """Run a cloud until the block ends. Started again, it listens on the ports that it had."""
    process = start_cloud(folder, *FLAGS, **environment)
    ready = process.ready
    api = ready["api_url"].rsplit(":", 1)[1]
    ports = (f"--api-port={api}", f"--mqtt-port={ready['mqtt_port']}", f"--https-port={ready['https_port']}")
    process.arguments = (*FLAGS, *ports)
    try:
        yield process
    finally:
        process.stop()


def recipe(name: str, version: str, run: str, *, artifact: str | None = None) -> bytes:
    """Answer the recipe of a component that runs a shell command, with an S3 object when one is named."""
    manifest: dict[str, object] = {"Lifecycle": {"Run": run}}
    if artifact is not None:
        manifest["Artifacts"] = [{"URI": artifact, "Unarchive": "NONE", "Permission": {"Read": "ALL"}}]
    document = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": version,
        "Manifests": [manifest],
    }
    return json.dumps(document).encode()


def quoted(*words: object) -> str:
    """Answer a shell command."""
    return shlex.join(str(word) for word in words)


def again(cloud: TestCloud) -> TestCloud:
    """Answer the account's view of a cloud that was started again."""
    keys = cloud.session.get_credentials()
    assert keys is not None
    session = cloud.process.session(keys.access_key, keys.secret_key)
    return TestCloud(process=cloud.process, account=cloud.account, session=session, folder=cloud.folder)

"""A cloud process of a test's own, which it may stop, kill and start again on the same ports."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hedgerow.testing import CloudProcess, start_cloud

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


def recipe(name: str, version: str, run: str) -> bytes:
    """Answer the recipe of a component that runs a shell command."""
    document = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": version,
        "Manifests": [{"Lifecycle": {"Run": run}}],
    }
    return json.dumps(document).encode()

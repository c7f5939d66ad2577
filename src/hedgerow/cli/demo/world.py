"""Everything that the demo's steps share: folders, processes, clients, what was measured."""

import json
import os
import secrets
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from hedgerow.cli.demo.errors import StepFailed
from hedgerow.cli.demo.interruption import Interruption
from hedgerow.cli.demo.processes import Processes, Started
from hedgerow.cli.demo.watch import Watch
from hedgerow.cli.demo.webhook import Webhook
from hedgerow.cli.target import Target, target

POLL_S: Final = 0.1
WEBHOOKS: Final = "127.0.0.0/8"


@dataclass(slots=True)
class World:
    """One run of the demo."""

    folder: Path
    sites: Sequence[str]
    processes: Processes
    interruption: Interruption
    webhook: Webhook = field(default_factory=Webhook)
    watch: Watch = field(default_factory=Watch)
    clients: dict[str, Any] = field(default_factory=dict)
    ready: dict[str, Any] = field(default_factory=dict)
    role: dict[str, str] = field(default_factory=dict)
    ports: list[int] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)
    deployed_at: float = 0.0
    console_link: str = ""

    @property
    def data(self) -> Path:
        """The cloud's data folder."""
        return self.folder / "cloud"

    @property
    def hot(self) -> str:
        """The site whose radio overheats."""
        return self.sites[0]

    def cloud(self) -> Target:
        """Answer the cloud as the ready file tells of it."""
        return target(self.data)

    def client(self, service: str) -> Any:
        """Answer the boto3 client of a service."""
        if service not in self.clients:
            self.clients[service] = self.cloud().client(service)
        return self.clients[service]

    def edge_root(self, site: str) -> Path:
        """Answer the folder of a site's edge."""
        return self.folder / "sites" / site

    def until(self, what: str, seen: Callable[[], bool], *, within_s: float, watching: bool = True) -> float:
        """Wait until something is seen; answer the seconds that took. Raises StepFailed when it is not seen in time.

        Raises Interrupted when the end is asked for. `watching`: an end of one of the processes fails the step at once.
        """
        begun = time.monotonic()
        while not seen():
            self.interruption.check()
            if watching:
                self.processes.check()
            if time.monotonic() - begun > within_s:
                raise StepFailed(f"not seen within {within_s:g} s: {what}")
            time.sleep(POLL_S)
        return time.monotonic() - begun

    def each(self, what: str, seen: Callable[[str], bool], *, within_s: float) -> None:
        """Wait until something is seen of every site; the deadline of each grows with the number of devices."""
        for site in self.sites:
            self.until(f"{what} ({site})", partial(seen, site), within_s=self.patience(within_s))

    def patience(self, seconds: float) -> float:
        """Answer a deadline that grows with the number of devices."""
        return seconds + 2.0 * max(0, len(self.sites) - 3)

    def close(self) -> None:
        """End everything that was started."""
        self.watch.stop()
        self.processes.stop()
        self.webhook.stop()


def new_world(folder: Path, devices: int, interruption: Interruption) -> World:
    """Answer a world in an empty folder."""
    for part in ("logs", "sites"):
        (folder / part).mkdir(mode=0o700, parents=True)
    return World(
        folder=folder,
        sites=[f"site-{number:02d}" for number in range(1, devices + 1)],
        processes=Processes(folder / "logs", _environment()),
        interruption=interruption,
    )


def _environment() -> dict[str, str]:
    """Answer the environment of the processes: a master key for this run alone, webhooks on loopback allowed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HEDGEROW_"))}
    key = b64encode(secrets.token_bytes(32)).decode()
    return {**kept, "HEDGEROW_MASTER_KEY": key, "HEDGEROW_WEBHOOK_NETWORKS": WEBHOOKS}


def teach_boto3() -> None:
    """Let boto3 know the service `hedgerow`, as its users do."""
    os.environ["AWS_DATA_PATH"] = str(files("hedgerow") / "core" / "wire" / "models")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE"):
        os.environ.pop(name, None)


def start_cloud(world: World) -> Started:
    """Start the cloud on free ports of loopback, with this run's data folder."""
    ports = [flag for name in ("api", "mqtt", "https", "console") for flag in (f"--{name}-port", "0")]
    return world.processes.start("cloud", "hedgerow", "cloud", "up", "--data", str(world.data), *BIND, *ports)


def read_ready(world: World) -> bool:
    """Read the ready file; tell whether it is there."""
    try:
        world.ready = json.loads((world.data / "ready.json").read_text("utf-8"))
    except FileNotFoundError:
        return False
    return True


BIND: Final = ("--bind", "127.0.0.1", "--host", "localhost", "--host", "127.0.0.1")

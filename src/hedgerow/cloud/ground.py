"""What a cloud stands on, before any service: folder, vault, databases, certificates, ports, the console's process.

Leaves to others: what the services mean and who answers on the ports (`build.py`).
"""

import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from itertools import chain
from pathlib import Path

from hedgerow.api import OWN_MODELS
from hedgerow.base.clock import SystemClock
from hedgerow.base.errors import Unavailable, Unusable
from hedgerow.base.files import RealFiles
from hedgerow.base.ids import RandomIds
from hedgerow.cloud.broker import Broker
from hedgerow.cloud.console import Console, Doors, Place, running_console
from hedgerow.cloud.hosts import LOOPBACK, certificate_names, in_url, is_loopback, local_host, reachable
from hedgerow.cloud.ports import bound, device_sockets, last_ports, port_of, preferred
from hedgerow.cloud.sealed_keys import sealed_key
from hedgerow.cloud.settings import CloudSettings
from hedgerow.cloud.trust import Trust, open_trust
from hedgerow.core.paging import Pager
from hedgerow.core.tls import Port
from hedgerow.functions import ProcessDriver, View, make_passable, system_view, user_and_group
from hedgerow.gateway.bus import DirectBus
from hedgerow.services.cloudwatch.metrics import TELEMETRY
from hedgerow.store import Blobs, Folder, Runner, Vault, key_file, open_engine, open_folder, open_vault, upgrade


class Ground:
    """Opened by `prepare`, in order; what must be closed is closed by the stack."""

    folder: Folder
    vault: Vault
    trust: Trust
    runner: Runner
    telemetry_runner: Runner
    console: Console | None
    api_sockets: tuple[socket.socket, ...]
    device_sockets: dict[Port, tuple[socket.socket, ...]]

    def __init__(self, settings: CloudSettings, environment: Mapping[str, str], stack: AsyncExitStack) -> None:
        self.settings = settings
        self.environment = environment
        self.stack = stack
        self.clock = SystemClock()
        self.ids = RandomIds()
        self.files = RealFiles()
        self.hub = DirectBus()
        self.broker = Broker(hub=self.hub)

    async def prepare(self) -> None:
        """Open everything; raise Unusable, in one line that says what to do, when that cannot be."""
        await self._open_store()
        self._prepare_functions()
        self._open_sockets()
        await self._begin_console()

    async def _open_store(self) -> None:
        """The folder, the vault, the databases, the certificates."""
        settings, files = self.settings, self.files
        self.folder = self.stack.enter_context(
            open_folder(settings.data, files=files, ids=self.ids, region=settings.region, account=settings.account)
        )
        path, identity = self.folder.path, self.folder.identity
        self.region = identity.region
        self.vault = open_vault(path, identity.cloud_id, self.environment, Path.home(), files=files)
        self.pager = Pager(sealed_key(path, "pages", vault=self.vault, files=files))
        self.token_key = sealed_key(path, "ownership", vault=self.vault, files=files)
        names = certificate_names(settings.host, settings.bind)
        self.host = settings.host[0] if settings.host else reachable(names)
        self.trust = open_trust(path, names, vault=self.vault, clock=self.clock, files=files)
        self.blobs = Blobs(self.folder.blobs, files, self.clock, self.ids)
        self.blobs.remove_unfinished()
        engine = open_engine(settings.database or self.folder.database)
        upgrade(engine)
        self.runner = await self.stack.enter_async_context(Runner(engine, self.clock, self.broker.on_commit))
        metrics = open_engine(self.folder.telemetry)
        upgrade(metrics, TELEMETRY)
        self.telemetry_runner = await self.stack.enter_async_context(Runner(metrics, self.clock, _no_events))

    def _prepare_functions(self) -> None:
        """The folder of functions; one of another user gets the CA, too, which it could not read in ours."""
        settings, self.functions_user = self.settings, None
        self.functions_folder = settings.functions_folder or self.folder.path / "functions"
        self.functions_ca = self.trust.ca_file
        if settings.functions_user is not None:
            self.functions_user = user_and_group(settings.functions_user, setting="functions_user")
            make_passable(self.functions_folder)
            self.functions_ca = self.functions_folder / "ca.pem"
            self.files.write_durably(self.functions_ca, self.trust.ca_file.read_bytes(), mode=0o644)
        uid, gid = self.functions_user or (None, None)
        self.functions_driver = ProcessDriver(
            handles=self.functions_folder / "handles",
            uid=uid,
            gid=gid,
            view=self._view_of_functions(),
            secrets=(self.folder.path, key_file(self.folder.identity.cloud_id, Path.home())),
        )

    def _view_of_functions(self) -> View | None:
        if not self.settings.functions_confined:
            return None
        return system_view(read=(self.functions_ca, *map(Path, self.settings.functions_read)))

    def _open_sockets(self) -> None:
        """Every port but the console's."""
        settings, last = self.settings, last_ports(self.folder.path)
        operators = settings.bind or LOOPBACK
        self.console_port = preferred(settings.console_port, operators, last.get("console"))
        self.api_sockets = bound(operators, preferred(settings.api_port, operators, last.get("api")), "--api-port")
        self.device_sockets = device_sockets(settings, last)
        for one in (*self.api_sockets, *chain.from_iterable(self.device_sockets.values())):
            self.stack.callback(one.close)
        self.https_port = port_of(self.device_sockets[Port.HTTPS])
        scheme = "http" if settings.bind is None else "https"
        self.api_url = f"{scheme}://{in_url(local_host(settings.bind))}:{port_of(self.api_sockets)}"

    async def _begin_console(self) -> None:
        """Start the console's process, which takes longer than everything else."""
        self.console = None
        if self.settings.console:
            self.console = await self.stack.enter_async_context(
                running_console(
                    api_url=self.api_url,
                    region=self.region,
                    ca_file=self.trust.ca_file if self.api_url.startswith("https:") else None,
                    place=self._place_of_console(),
                    models=OWN_MODELS,
                    devices=Doors(
                        host=self.host,
                        mqtt_port=port_of(self.device_sockets[Port.MQTT]),
                        https_port=self.https_port,
                        ca_file=self.trust.ca_file,
                    ),
                )
            )

    def _place_of_console(self) -> Place:
        """With a certificate of its own it speaks TLS; else plain HTTP on loopback, which browsers take for secure,
        and elsewhere TLS with the cloud's certificate, which they do not know.
        """
        bind, pki = self.settings.bind or LOOPBACK, self.trust.folder
        certificate = (pki / "server.pem", pki / "server.key")
        if self.settings.console_certificate is not None and self.settings.console_key is not None:
            certificate = (self.settings.console_certificate, self.settings.console_key)
        elif is_loopback(bind):
            return Place(host=bind, port=self.console_port, url_host=bind)
        return Place(host=bind, port=self.console_port, url_host=self.host, certificate=certificate)

    async def console_address(self) -> str | None:
        """Answer where the console is, None without one; raise Unusable when it cannot start."""
        if self.console is None:
            return None
        try:
            return await self.console.ready()
        except Unavailable as error:
            raise Unusable(f"{error}; choose another --console-port, or go without it with --no-console") from error

    def devices_url(self) -> str:
        """Answer where devices reach the API."""
        return f"https://{in_url(self.host)}:{self.https_port}"

    def surroundings(self) -> dict[str, str]:
        """Answer what functions in the cloud find in their environment of it."""
        told = {"AWS_ENDPOINT_URL": self.api_url}
        if self.api_url.startswith("https:"):
            told["AWS_CA_BUNDLE"] = str(self.functions_ca)
        return told


def _no_events(_: object) -> None:
    """Metrics let nothing happen."""

"""What runs on an enrolled device, composed: connection, components, deployments, reports, local IPC.

Everything starts without the cloud; what needs it waits for the connection.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from hedgerow.base.clock import Clock
from hedgerow.base.errors import Unavailable
from hedgerow.base.files import Files
from hedgerow.base.ids import Ids
from hedgerow.base.log import get_logger
from hedgerow.core.recipe import ComponentType
from hedgerow.edge import platform, tls
from hedgerow.edge.backoff import Backoff
from hedgerow.edge.cloud import Cloud
from hedgerow.edge.components.environment import Environments
from hedgerow.edge.components.events import Events
from hedgerow.edge.components.lambda_function import LambdaKind
from hedgerow.edge.components.local_bus import LocalBus
from hedgerow.edge.components.output import ComponentLogs
from hedgerow.edge.components.script import ScriptKind
from hedgerow.edge.components.supervisor import Supervisor
from hedgerow.edge.configuration import JOBS, Configuration
from hedgerow.edge.connection import Connection
from hedgerow.edge.credentials import CredentialProvider
from hedgerow.edge.deployments import jobs, shadow
from hedgerow.edge.deployments.artifacts import Artifacts
from hedgerow.edge.deployments.engine import Engine
from hedgerow.edge.deployments.preparation import Preparation
from hedgerow.edge.deployments.reports import Channel, Reports
from hedgerow.edge.effective import write_effective
from hedgerow.edge.health import Health
from hedgerow.edge.identity import Identity
from hedgerow.edge.ipc.credential_server import CredentialServer
from hedgerow.edge.ipc.operations import Failed, Operations
from hedgerow.edge.ipc.server import IpcServer
from hedgerow.edge.jobs.compose import job_channel_of
from hedgerow.edge.keys import Keys
from hedgerow.edge.layout import Layout
from hedgerow.edge.notice import Console
from hedgerow.edge.ready_made import HINT
from hedgerow.edge.rotation import Place, Rotation
from hedgerow.edge.spool import Spool
from hedgerow.edge.state import State
from hedgerow.functions import Pool, ProcessDriver, Runtimes, can_confine, user_and_group

_log = get_logger("edge.device")


class Device:
    """One enrolled device. `run` ends when it is cancelled."""

    def __init__(
        self,
        *,
        settings: Configuration,
        first: Identity,
        identity: Identity,
        layout: Layout,
        state: State,
        keys: Keys,
        files: Files,
        clock: Clock,
        ids: Ids,
        console: Console,
    ) -> None:
        self._settings = settings
        self._first = first
        self._identity = identity
        self._layout = layout
        self._state = state
        self._keys = keys
        self._files = files
        self._clock = clock
        self._ids = ids
        self._console = console
        self._attributes = platform.attributes(settings.platform_override)
        self.connection = self._connection()
        self.rotation = self._rotation()
        self.bus = LocalBus()
        self.credentials = self._credentials()
        self.environments = Environments(identity=identity, settings=settings, layout=layout, ids=ids)
        self.logs = ComponentLogs(layout.logs, settings.logging)
        self._account = user_and_group(settings.default_user)
        self._driver = self._driver_as(self._account)
        self.lambdas = LambdaKind(
            layout=layout,
            attributes=self._attributes,
            region=settings.region,
            events=Events(connection=self.connection, bus=self.bus),
            sees=(settings.root_ca, self.environments.socket),
            confines=can_confine(),
        )
        self.scripts = self._scripts()
        self.supervisor = Supervisor(
            kinds={ComponentType.LAMBDA: self.lambdas, ComponentType.GENERIC: self.scripts}, clock=clock
        )
        self.engine = self._engine()

    async def run(self) -> None:
        """Run everything until cancelled; end components before the connection, so that they can say goodbye."""
        async with AsyncExitStack() as stack:
            stack.callback(self.logs.close)
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            await asyncio.to_thread(self._show_effective)
            await asyncio.to_thread(self.scripts.leftovers.end)
            await self._listen(stack)
            self.lambdas.pool = await stack.enter_async_context(
                Pool(
                    driver=self._driver,
                    runtimes=Runtimes(self._layout.root / "runtimes", copy=self._account is not None),
                    clock=self._clock,
                    ids=self._ids,
                    on_log=lambda spec, line: self.logs.write(spec.name, line.message),
                    grant=self.environments.grant,
                    on_state=self.lambdas.on_state,
                )
            )
            await stack.enter_async_context(self.supervisor)
            self._start(tasks)
            await asyncio.get_running_loop().create_future()

    async def _listen(self, stack: AsyncExitStack) -> None:
        """Open what components talk to, before there are any."""
        operations = Operations(
            connection=self.connection,
            bus=self.bus,
            supervisor=self.supervisor,
            clock=self._clock,
            component_of=self.environments.component_of,
            update_state=self._update_state,
        )
        ipc = IpcServer(operations=operations, component_of=self.environments.component_of)
        await stack.enter_async_context(ipc.listening(self.environments.socket))
        if self.credentials.configured:
            server = CredentialServer(credentials=self.credentials, component_of=self.environments.component_of)
            self.environments.credentials_url = await stack.enter_async_context(server.listening())

    def _show_effective(self) -> None:
        try:
            write_effective(self._settings, self._identity, self._layout, self._files)
        except Unavailable as error:  # a full disk: the file is for people
            _log.warning("the effective configuration is an older one", extra={"fields": {"cause": str(error)}})

    def _update_state(self, component: str, state: str) -> None:
        if not self.scripts.update_state(component, state):
            raise Failed("ServiceError", f"{component} is a function: its state is known without a word from it")

    def _start(self, tasks: asyncio.TaskGroup) -> None:
        thing = self._identity.thing_name
        job_channel = jobs.Jobs(connection=self.connection, engine=self.engine, thing_name=thing)
        shadow_channel = shadow.DeploymentShadow(connection=self.connection, engine=self.engine, thing_name=thing)
        channels: dict[str, Channel] = {jobs.KIND: job_channel, shadow.KIND: shadow_channel}
        reports = Reports(state=self._state, engine=self.engine, channels=channels)
        health = Health(
            connection=self.connection,
            supervisor=self.supervisor,
            engine=self.engine,
            state=self._state,
            clock=self._clock,
            thing_name=thing,
            platform=self._attributes,
            cadence_s=self._settings.status_interval_s,
        )
        self.engine.on_ended(lambda _deployment, _result: job_channel.ask())
        online = (job_channel.ask, shadow_channel.ask, reports.online, self.engine.online, health.online)
        for listener in (*online, self.rotation.online):
            self.connection.on_connected(listener)
        self.connection.on_refused(self.rotation.refused)
        for part in (job_channel, shadow_channel, self.engine, reports, health, self.rotation, self.connection):
            tasks.create_task(self._steadily(part.run))
        if self._settings.jobs.enabled:
            own_jobs = job_channel_of(
                settings=self._settings,
                identity=self._identity,
                layout=self._layout,
                state=self._state,
                ids=self._ids,
                console=self._console,
                connection=self.connection,
                attributes=self._attributes,
                on_line=lambda line: self.logs.write(JOBS, line),
                rotate=self.rotation.rotate,
            )
            self.connection.on_connected(own_jobs.ask)
            tasks.create_task(self._steadily(own_jobs.run))

    async def _steadily(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run a part again when the disk or the state kept it from its work: the components must run on meanwhile."""
        backoff = Backoff()
        while True:
            try:
                await run()
            except Unavailable as error:
                _log.warning("a part of the edge starts again", extra={"fields": {"cause": str(error)}})
                self._console.say(str(error))
                await asyncio.sleep(backoff.next())
            else:
                return

    def _driver_as(self, account: tuple[int, int] | None) -> ProcessDriver:
        uid, gid = account or (None, None)
        return ProcessDriver(handles=self._layout.work / ".instances", uid=uid, gid=gid)

    def _scripts(self) -> ScriptKind:
        return ScriptKind(
            layout=self._layout,
            attributes=self._attributes,
            shell=self._settings.shell,
            thing_name=self._identity.thing_name,
            interpolate_configuration=self._settings.interpolate_configuration,
            default_user=self._settings.default_user,
            environments=self.environments,
            driver=self._driver,
            privileged=self._driver_as(None),
            on_line=self.logs.write,
            component_of=lambda name: self.supervisor.component(name),
        )

    def _connection(self) -> Connection:
        settings, identity = self._settings, self._identity
        return Connection(
            endpoint=settings.mqtt_endpoint,
            identity=identity,
            root_ca=str(settings.root_ca),
            settings=settings.mqtt,
            context=lambda: asyncio.to_thread(
                self._mutual_as,
                self.rotation.identity,
                alpn="x-amzn-mqtt-ca" if settings.mqtt_endpoint.port == 443 else None,
            ),
            spool=Spool(self._state, limit_bytes=settings.mqtt.spool_bytes),
            clock=self._clock,
            console=self._console,
            until_let_in=HINT if settings.given is not None else "",
        )

    def _credentials(self) -> CredentialProvider:
        return CredentialProvider(
            endpoint=self._settings.credentials,
            role_alias=self._settings.role_alias,
            thing_name=self._identity.thing_name,
            context=self._mutual,
            clock=self._clock,
            root_ca=str(self._settings.root_ca),
            certificate=str(self._identity.certificate),
        )

    def _engine(self) -> Engine:
        settings = self._settings
        cloud = Cloud(
            data_plane=settings.data_plane,
            region=settings.region,
            thing_name=self._identity.thing_name,
            mutual=self._mutual,
            trusting=lambda: tls.trusting(settings.root_ca),
            credentials=self.credentials,
            clock=self._clock,
            s3_endpoint_type=settings.s3_endpoint_type,
            root_ca=str(settings.root_ca),
            certificate=str(self._identity.certificate),
        )
        artifacts = Artifacts(
            layout=self._layout,
            files=self._files,
            context=lambda: tls.trusting(settings.root_ca, also_public=True),
            limit_bytes=settings.store_bytes,
        )
        preparation = Preparation(
            cloud=cloud, artifacts=artifacts, supervisor=self.supervisor, attributes=self._attributes
        )
        return Engine(
            state=self._state,
            supervisor=self.supervisor,
            preparation=preparation,
            clock=self._clock,
            console=self._console,
        )

    def _rotation(self) -> Rotation:
        return Rotation(
            first=self._first,
            identity=self._identity,
            connection=self.connection,
            state=self._state,
            keys=self._keys,
            files=self._files,
            layout=self._layout,
            clock=self._clock,
            console=self._console,
            place=Place(endpoint=self._settings.data_plane, root_ca=str(self._settings.root_ca)),
            context=self._mutual_as,
        )

    def _mutual(self) -> ssl.SSLContext:
        return self._mutual_as(self.rotation.identity)

    def _mutual_as(self, identity: Identity, alpn: str | None = None) -> ssl.SSLContext:
        return tls.mutual(
            root_ca=self._settings.root_ca,
            certificate=identity.certificate,
            private_key=identity.private_key,
            token=self._keys.token,
            alpn=alpn,
        )

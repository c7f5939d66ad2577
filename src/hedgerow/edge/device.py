"""What runs on an enrolled device, composed: connection, components, deployments, reports, local IPC.

Everything starts without the cloud; what needs it waits for the connection.
"""

import asyncio
import ssl
from contextlib import AsyncExitStack

from hedgerow.base.clock import Clock
from hedgerow.base.files import Files
from hedgerow.base.ids import Ids
from hedgerow.core.recipe import ComponentType
from hedgerow.edge import platform, tls
from hedgerow.edge.account import user_and_group
from hedgerow.edge.cloud import Cloud
from hedgerow.edge.components.environment import Environments
from hedgerow.edge.components.events import Events
from hedgerow.edge.components.lambda_function import LambdaKind
from hedgerow.edge.components.local_bus import LocalBus
from hedgerow.edge.components.output import ComponentLogs
from hedgerow.edge.components.supervisor import Supervisor
from hedgerow.edge.configuration import Configuration
from hedgerow.edge.connection import Connection
from hedgerow.edge.credentials import CredentialProvider
from hedgerow.edge.deployments import jobs, shadow
from hedgerow.edge.deployments.artifacts import Artifacts
from hedgerow.edge.deployments.engine import Engine
from hedgerow.edge.deployments.preparation import Preparation
from hedgerow.edge.deployments.reports import Channel, Reports
from hedgerow.edge.health import Health
from hedgerow.edge.identity import Identity
from hedgerow.edge.layout import Layout
from hedgerow.edge.notice import Console
from hedgerow.edge.spool import Spool
from hedgerow.edge.state import State
from hedgerow.functions import Pool, ProcessDriver, Runtimes


class Device:
    """One enrolled device. `run` ends when it is cancelled."""

    def __init__(
        self,
        *,
        settings: Configuration,
        identity: Identity,
        layout: Layout,
        state: State,
        files: Files,
        clock: Clock,
        ids: Ids,
        console: Console,
    ) -> None:
        self._settings = settings
        self._identity = identity
        self._layout = layout
        self._state = state
        self._files = files
        self._clock = clock
        self._ids = ids
        self._console = console
        self._attributes = platform.attributes(settings.platform_override)
        self.connection = self._connection()
        self.bus = LocalBus()
        self.credentials = self._credentials()
        self.lambdas = LambdaKind(
            layout=layout,
            attributes=self._attributes,
            region=settings.region,
            events=Events(connection=self.connection, bus=self.bus),
        )
        self.supervisor = Supervisor(kinds={ComponentType.LAMBDA: self.lambdas}, clock=clock)
        self.engine = self._engine()

    async def run(self) -> None:
        """Run everything until cancelled; end components before the connection, so that they can say goodbye."""
        account = user_and_group(self._settings.default_user)
        async with AsyncExitStack() as stack:
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            environments = Environments(
                identity=self._identity, settings=self._settings, layout=self._layout, ids=self._ids
            )
            logs = ComponentLogs(self._layout.logs, self._settings.logging)
            stack.callback(logs.close)
            pool = Pool(
                driver=ProcessDriver(
                    handles=self._layout.work / ".instances",
                    uid=account[0] if account else None,
                    gid=account[1] if account else None,
                ),
                runtimes=Runtimes(self._layout.root / "runtimes", copy=account is not None),
                clock=self._clock,
                ids=self._ids,
                on_log=lambda spec, line: logs.write(spec.name, line.message),
                grant=environments.grant,
                on_state=self.lambdas.on_state,
            )
            self.lambdas.pool = await stack.enter_async_context(pool)
            await stack.enter_async_context(self.supervisor)
            self._start(tasks)
            await asyncio.get_running_loop().create_future()

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
        for listener in (job_channel.ask, shadow_channel.ask, reports.online, self.engine.online, health.online):
            self.connection.on_connected(listener)
        for part in (job_channel, shadow_channel, self.engine, reports, health, self.connection):
            tasks.create_task(part.run())

    def _connection(self) -> Connection:
        settings, identity = self._settings, self._identity
        return Connection(
            endpoint=settings.mqtt_endpoint,
            identity=identity,
            root_ca=str(settings.root_ca),
            settings=settings.mqtt,
            context=lambda: asyncio.to_thread(
                tls.mutual,
                root_ca=settings.root_ca,
                certificate=identity.certificate,
                private_key=identity.private_key,
                alpn="x-amzn-mqtt-ca" if settings.mqtt_endpoint.port == 443 else None,
            ),
            spool=Spool(self._state, limit_bytes=settings.mqtt.spool_bytes),
            clock=self._clock,
            console=self._console,
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

    def _mutual(self) -> ssl.SSLContext:
        return tls.mutual(
            root_ca=self._settings.root_ca,
            certificate=self._identity.certificate,
            private_key=self._identity.private_key,
        )

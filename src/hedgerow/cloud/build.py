"""The composition root of the cloud: builds everything, in order; leaving it closes everything, in reverse.

Sockets are bound first, so that every part can be told the ports; they accept last, once everything answers.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hedgerow.api import OWN_MODELS, ApiApp, ModelFiles, Pipeline, Row, botocore_models
from hedgerow.api.metrics import OperatorsApp
from hedgerow.api.proxies import BehindProxies
from hedgerow.api.server import FRAMES, http_server, serve
from hedgerow.base.errors import Unusable
from hedgerow.cloud.admission import Admission, GrantsCompiler
from hedgerow.cloud.anchors import Anchors
from hedgerow.cloud.beside import beside
from hedgerow.cloud.claimants import Claimants
from hedgerow.cloud.compute import NAMING, Compute, build_compute
from hedgerow.cloud.connections import ConnectionFlows
from hedgerow.cloud.control import CloudControl, TopicTable
from hedgerow.cloud.credentials import Credentials
from hedgerow.cloud.custom_authentication import Doorkeeper, Strangers
from hedgerow.cloud.device_authority import DeviceAuthority
from hedgerow.cloud.directory import Directory, Readers
from hedgerow.cloud.domain_configurations import build_domains
from hedgerow.cloud.domains import Domains
from hedgerow.cloud.doors import Doors
from hedgerow.cloud.enrolment import build_enrolment
from hedgerow.cloud.explaining import build_explanations
from hedgerow.cloud.figures import Figures
from hedgerow.cloud.fleet import build_fleet
from hedgerow.cloud.ground import Ground
from hedgerow.cloud.identity import Identity, build_identity
from hedgerow.cloud.indexing import build_fleet_index, build_fleet_metrics
from hedgerow.cloud.iot_logging import IotLogging, build_iot_logging
from hedgerow.cloud.issuers import IssuerKeys
from hedgerow.cloud.job_links import JobLinks, JobObjects
from hedgerow.cloud.live_connections import LiveConnectionFlows
from hedgerow.cloud.messages import PublishingFlows
from hedgerow.cloud.onboarding_figures import build_onboarding_figures
from hedgerow.cloud.operations import hedgerow_connections as live_rows
from hedgerow.cloud.operations import iot_connections as connection_rows
from hedgerow.cloud.ports import port_of
from hedgerow.cloud.presence import PresenceRecorder, wants
from hedgerow.cloud.provisioning_metrics import ProvisioningMetrics
from hedgerow.cloud.registry import INDEXED, Registry, build_registry
from hedgerow.cloud.registry_events import EventsPart, build_registry_events
from hedgerow.cloud.rights import CallerRights
from hedgerow.cloud.rows import Tables
from hedgerow.cloud.service_roles import ServiceRoles
from hedgerow.cloud.settings import CloudSettings, metrics_networks, networks, proxy_networks
from hedgerow.cloud.sweeping import Sweeper
from hedgerow.cloud.tagging import tag
from hedgerow.cloud.telemetry import Telemetry, build_logs, build_telemetry
from hedgerow.cloud.unpacked import Unpacked
from hedgerow.cloud.vending_socket import PATH as VENDING
from hedgerow.cloud.vending_socket import VendingSockets
from hedgerow.cloud.webhooks import Webhooks
from hedgerow.core.mqtt.limits import SETS
from hedgerow.core.tls import Port
from hedgerow.core.wire import Catalogue
from hedgerow.gateway.gateway import Gateway
from hedgerow.gateway.run import running
from hedgerow.gateway.websocket import MqttWebSocket
from hedgerow.services.iot.endpoints import Endpoints
from hedgerow.services.iot.vending import Throttles
from hedgerow.store import (
    Dispatcher,
    Run,
)
from hedgerow.store.journal import SqliteJournal

GATEWAY: Final = "gateway-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """A cloud that runs."""

    account: str
    region: str
    host: str
    api_url: str
    mqtt_port: int
    https_port: int
    alpn_port: int | None
    ca_file: Path
    access_key_id: str
    secret_access_key: str
    console_url: str | None
    operations: Mapping[tuple[str, str], Row]  # everything that is answered, by (service, operation)
    hints: Mapping[tuple[str, str], str]  # why others are not, in sentences of their own
    run: Run  # what the operations run on; the generated pages try them out

    def __repr__(self) -> str:
        return f"Cloud({self.api_url})"


@asynccontextmanager
async def build(settings: CloudSettings, environment: Mapping[str, str]) -> AsyncIterator[Cloud]:
    """Run a cloud until the block ends. Raises Unusable, in one line that says what to do, when it cannot."""
    async with AsyncExitStack() as stack:
        part = _Parts(settings, environment, stack)
        await part.prepare()
        part.build_services()
        yield await part.serve()


class _Parts(Ground):
    """What is built on the ground, in the order in which it is built."""

    identity: Identity
    events: EventsPart
    registry: Registry
    compute: Compute
    telemetry: Telemetry
    iot_logging: IotLogging
    domains: Domains
    directory: Directory
    control: CloudControl
    root: tuple[str, str]
    gateway: Gateway | None
    presence: PresenceRecorder

    def __init__(self, settings: CloudSettings, environment: Mapping[str, str], stack: AsyncExitStack) -> None:
        super().__init__(settings, environment, stack)
        self.tables = Tables()
        self.limits = SETS[settings.limits]
        self.gateway = None

    def build_services(self) -> None:
        """What the operations mean, and who may call them."""
        tables, run, ids, pager, clock = self.tables, self.runner, self.ids, self.pager, self.clock
        self.identity = identity = build_identity(
            tables=tables,
            run=run,
            ids=ids,
            vault=self.vault,
            pager=pager,
            issuers=IssuerKeys(networks=networks(self.settings), clock=clock),
        )
        self.anchors = Anchors(trust=self.trust)
        authority = DeviceAuthority(authority=self.trust.device_authority, clock=clock, host_names=self.trust.names)
        self.events = build_registry_events(tables=tables, ids=ids, region=self.region, bus=self.broker)
        self.broker.listen(self.events.telling.on_committed)
        endpoints = Endpoints(data=self.host, credentials=self.host, jobs=self.host)
        self.registry = registry = build_registry(
            tables=tables,
            stores=self.events.stores,
            run=run,
            clock=clock,
            ids=ids,
            pager=pager,
            roles=identity.roles,
            accounts=identity.account_reader,
            authority=authority,
            anchors=self.anchors,
            endpoints=endpoints,
        )
        build_explanations(tables=tables, stores=registry.stores)
        logs = build_logs(tables=tables, pager=pager)
        self.compute = build_compute(
            tables=tables,
            run=run,
            clock=clock,
            ids=ids,
            region=self.region,
            pager=pager,
            folder=self.functions_folder,
            driver=self.functions_driver,
            copy_runtimes=self.functions_user is not None,
            blobs=self.blobs,
            identity=identity,
            logs=logs,
            endpoint=self.devices_url,
            surroundings=self.surroundings,
        )
        roles = ServiceRoles(run=run, roles=identity.roles, policies=identity.policies, region=self.region)
        rights = CallerRights(
            grants=lambda caller: self.directory.grants(caller),
            clock=clock,
            facts=lambda account, resource: self.directory.facts_of(account, resource),
        )
        fleet = build_fleet(
            tables=tables,
            run=run,
            clock=clock,
            ids=ids,
            pager=pager,
            stores=registry.stores,
            functions=self.compute.versions,
            objects=self.compute.objects,
            rights=rights,
            telling=self.events.telling,
            job_links=JobLinks(roles=identity.roles, mint=identity.mint, endpoint=self.devices_url, region=self.region),
            job_objects=JobObjects(run=run, objects=self.compute.objects, rights=rights),
        )
        build_fleet_index(tables=tables, ids=ids, pager=pager, stores=registry.stores)
        self.vending_throttles = Throttles(clock)
        enrolment = build_enrolment(
            tables=tables,
            run=run,
            clock=clock,
            ids=ids,
            pager=pager,
            token_key=self.token_key,
            region=self.region,
            registry=registry,
            authority=authority,
            roles=identity.roles,
            rights=roles,
            functions=self.compute.functions,
            versions=self.compute.versions,
            anchors=self.anchors,
            callers=CallerRights(
                grants=lambda caller: self.directory.grants(caller),
                clock=clock,
                facts=lambda account, resource: self.directory.facts_of(account, resource),
            ),
            files=self.compute.files,
            first_account=self.folder.identity.account,
            throttles=self.vending_throttles,
        )
        self.iot_logging = build_iot_logging(
            tables=tables,
            run=run,
            clock=clock,
            ids=ids,
            region=self.region,
            pager=pager,
            roles=roles,
            groups=registry.stores.groups,
            logs=logs,
            broker=self.broker,
        )
        fleet.jobs.on_completed = self.iot_logging.lines.job_completed
        self.domains = build_domains(
            tables=tables,
            ids=ids,
            pager=pager,
            broker=self.broker,
            store=registry.stores.domains,
            endpoints=endpoints,
            own_names=self.trust.names,
            invoker=enrolment.invoker,
            region=self.region,
        )
        credentials, readers = Credentials(clock=clock, domains=self.domains), self._readers()
        self.strangers = Strangers(
            authentication=enrolment.authentication,
            first_account=self.folder.identity.account,
            clock=clock,
            region=self.region,
            domains=self.domains,
        )
        admission = Admission(
            run=run,
            credentials=credentials,
            readers=readers,
            just_in_time=enrolment.just_in_time,
            strangers=self.strangers,
            claimants=Claimants(readers=readers, holder=self._holder, region=self.region, clock=clock),
            newcomers=enrolment.newcomers,
            domains=self.domains,
            region=self.region,
        )
        self.directory = Directory(
            run=run, credentials=credentials, readers=readers, newcomers=enrolment.newcomers, region=self.region
        )
        self.broker.listen(self.directory.announce)
        self.control = CloudControl(
            run=run,
            ids=ids,
            clock=clock,
            region=self.region,
            admission=admission,
            topics=TopicTable(tables.topics),
            refusals=enrolment.newcomers,
            listener=self.iot_logging,
            at_once=self.limits.shadow_requests,
        )
        self.telemetry = build_telemetry(
            tables=tables,
            run=run,
            telemetry_run=self.telemetry_runner,
            clock=clock,
            ids=ids,
            region=self.region,
            pager=pager,
            roles=roles,
            functions=self.compute.functions,
            webhooks=Webhooks(networks=networks(self.settings)),
            bus=self.broker,
            control=self.control,
            logs=logs,
            listener=self.iot_logging.lines,
        )
        build_fleet_metrics(tables=tables, run=run, pager=pager, stores=registry.stores, metrics=self.telemetry.metrics)
        self.onboarding = build_onboarding_figures(tables=tables, metrics=self.telemetry.metrics)
        self.provisioning = ProvisioningMetrics(
            values=self.telemetry.metrics, run=run, templates=registry.stores.templates, clock=clock
        )
        self.control.hearers.append(self.provisioning.asked)
        enrolment.just_in_time.listeners = (self.iot_logging.lines.first_connection, self.provisioning.connected)
        tag(tables, pager=pager)

    async def serve(self) -> Cloud:
        """The first account, the tasks, the gateway, the listeners."""
        await self._open_account()
        stores = self.registry.stores
        await self.anchors.load(self.runner, cas=stores.cas, certificates=stores.certificates)
        await self.stack.enter_async_context(self.compute.workers)
        await self.stack.enter_async_context(self.compute.functions)
        engine = self.telemetry.engine
        await engine.load()
        await self.events.load(self.runner)
        await self._record_presence()
        await self._keep_iot_logs()
        self.broker.connect(engine)
        await self._task(engine.run())
        await self._task(self.telemetry.keep())
        await self._task(self.identity.key_uses.run())
        self.stack.push_async_callback(self.identity.key_uses.write)
        await self._task(self.provisioning.run())
        self.stack.push_async_callback(self.provisioning.flush)
        keepers = (self.blobs, Unpacked(self.functions_folder / "code"))
        await self._task(Sweeper(keepers=keepers, run=self.runner, subjects=NAMING).run())
        gateway = await self._open_gateway()
        connections = ConnectionFlows(bus=self.broker, gateway=gateway, clock=self.clock, pager=self.pager)
        live = LiveConnectionFlows(
            bus=self.broker,
            gateway=gateway,
            pager=self.pager,
            rights=CallerRights(grants=self.directory.grants, clock=self.clock),
        )
        self.tables.serve("hedgerow", live_rows.rows(connections=live))
        publishing = PublishingFlows(
            bus=self.broker, gateway=gateway, control=self.control, clock=self.clock, limits=self.limits
        )
        self.tables.serve("iot-data", connection_rows.rows(connections=connections, publishing=publishing))
        dispatcher = await self.stack.enter_async_context(Dispatcher(self.runner, self.tables.follow_ups, self.clock))
        catalogue = Catalogue(ModelFiles([OWN_MODELS, botocore_models()]))
        for service in {service for service, _ in self.tables.operations}:
            await asyncio.to_thread(catalogue.model, service)  # 5 to 10 ms each, which the loop should not spend later
        app = self._app(gateway, catalogue)
        proxies = proxy_networks(self.settings)
        frames = max(FRAMES, self.limits.packet)
        http = await self.stack.enter_async_context(
            http_server(BehindProxies(app, proxies), clock=self.clock, frames=frames)
        )
        await self.domains.load(self.runner, stores.domains)
        doors = Doors(gateway=gateway, http=http, domains=self.domains, anchors=self.anchors, files=self.files)
        figures = self._figures(gateway, dispatcher, doors)
        metrics = OperatorsApp(app, figures=figures, networks=metrics_networks(self.settings))
        operators = BehindProxies(metrics, proxies)
        tls = self.trust.operators if self.settings.bind is not None else None
        await self.stack.enter_async_context(serve(operators, sockets=self.api_sockets, tls=tls, frames=frames))
        await self._task(doors.keep())
        await doors.open(self.stack, self.device_sockets)
        return Cloud(
            account=self.folder.identity.account,
            region=self.region,
            host=self.host,
            api_url=self.api_url,
            mqtt_port=port_of(self.device_sockets[Port.MQTT]),
            https_port=self.https_port,
            alpn_port=port_of(self.device_sockets[Port.ALPN]) if Port.ALPN in self.device_sockets else None,
            ca_file=self.trust.ca_file,
            access_key_id=self.root[0],
            secret_access_key=self.root[1],
            console_url=await self.console_address(),
            operations=dict(self.tables.operations),
            hints=self.tables.hints,
            run=self.runner,
        )

    async def _open_account(self) -> None:
        account = self.folder.identity.account
        await self.runner.write(lambda tx: self.identity.accounts.ensure_first(tx, account))
        identifier = await self.runner.read(lambda tx: self.identity.root_keys.active(tx, account))
        if identifier is None:
            raise Unusable(
                f"the account {account} has no active access key of its own; restore the folder from a backup"
            )
        found = await self.runner.read(lambda tx: self.identity.access_keys.find(tx, identifier))
        self.root = (identifier, "" if found is None else found[1])

    async def _record_presence(self) -> None:
        """Connections become rows; what the gateway tells while it stops is written, too."""
        stores = self.registry.stores
        self.presence = PresenceRecorder(
            run=self.runner,
            store=stores.connectivity,
            things=stores.things,
            index=INDEXED,
            describe=lambda account, client: (
                None if self.gateway is None else self.gateway.connectivity(account, client)
            ),
        )
        await self.presence.begin()
        self.broker.hear(wants, self.presence.on_message)
        await self._task(self.presence.run())
        self.stack.push_async_callback(self.presence.write)

    async def _keep_iot_logs(self) -> None:
        log = self.iot_logging.log
        await log.load()
        await self._task(log.run())
        self.stack.push_async_callback(log.write)

    async def _open_gateway(self) -> Gateway:
        loop = asyncio.get_running_loop()
        journal = SqliteJournal(self.folder.journal, call=loop.call_soon_threadsafe)
        self.stack.callback(journal.close)
        self.gateway = await self.stack.enter_async_context(
            running(
                name=GATEWAY,
                region=self.region,
                control=self.control,
                hub=self.hub,
                journal=journal,
                clock=self.clock,
                ids=self.ids,
                compile_grants=GrantsCompiler(clock=self.clock),
                limits=self.limits,
            )
        )
        return self.gateway

    def _app(self, gateway: Gateway, catalogue: Catalogue) -> ApiApp:
        pipeline = Pipeline(
            catalogue=catalogue,
            operations=self.tables.operations,
            hints=self.tables.hints,
            doorkeeper=Doorkeeper(strangers=self.strangers, grants=self.directory.vouched),
            directory=self.directory,
            runner=self.runner,
            clock=self.clock,
            ids=self.ids,
            region=self.region,
            observer=self.iot_logging.lines,
            witness=self.identity.key_uses.note,
        )
        vending = VendingSockets(
            ids=self.ids, first_account=self.folder.identity.account, expecting=self.vending_throttles.expecting
        )
        self.broker.listen(vending.on_event)
        return ApiApp(
            pipeline,
            ids=self.ids,
            mounts={"/mqtt": MqttWebSocket(gateway, is_open=self.strangers.is_open)},
            sockets={VENDING: vending.serving(pipeline.answer)},
            health=lambda: {"account": self.folder.identity.account, "region": self.region},
        )

    def _figures(self, gateway: Gateway, dispatcher: Dispatcher, doors: Doors) -> Figures:
        return Figures(
            gateway=gateway,
            listeners=doors.listeners,
            runner=self.runner,
            telemetry_runner=self.telemetry_runner,
            dispatcher=dispatcher,
            engine=self.telemetry.engine,
            workers=self.compute.workers,
            presence=self.presence,
            authentication=self.strangers.authentication,
            iot_log=self.iot_logging.log,
            onboarding=self.onboarding,
            clock=self.clock,
        )

    def _readers(self) -> Readers:
        stores, identity = self.registry.stores, self.identity
        return Readers(
            access_keys=identity.access_keys,
            sessions=identity.sessions,
            users=identity.users,
            groups=identity.groups,
            roles=identity.roles,
            entity_policies=identity.policies,
            standings=identity.standings,
            certificates=stores.certificates,
            cas=stores.cas,
            effective=stores.effective(),
            things=stores.things,
            types=stores.types,
            claims=stores.claim_reader(),
        )

    def _holder(self, account: str, client_id: str) -> str | None:
        return None if self.gateway is None else self.gateway.holder(account, client_id)

    async def _task(self, work: Any) -> None:
        await self.stack.enter_async_context(beside(work))

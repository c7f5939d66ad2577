"""Builds what reaches devices: shadows, jobs, Greengrass V2; and enters their rows."""

from dataclasses import dataclass

from hedgerow.base.clock import Clock
from hedgerow.base.ids import Ids
from hedgerow.base.steady import Steady
from hedgerow.cloud.commanding import build_commands
from hedgerow.cloud.delivery import (
    ComponentArtifacts,
    ComponentFunctions,
    DeploymentJobs,
    DeploymentShadowDocuments,
)
from hedgerow.cloud.jobs import build_jobs
from hedgerow.cloud.operations import greengrassv2 as greengrass_rows
from hedgerow.cloud.operations import iot_data as shadow_rows
from hedgerow.cloud.registry import Stores
from hedgerow.cloud.rights import CallerRights
from hedgerow.cloud.rows import Tables
from hedgerow.core.paging import Pager
from hedgerow.services.greengrassv2.components import NUCLEUS, ComponentFlows, ComponentOperations, ComponentStore
from hedgerow.services.greengrassv2.core_devices import CoreDeviceOperations, CoreDeviceStore, HealthTopics
from hedgerow.services.greengrassv2.deployments import (
    DeploymentFlows,
    DeploymentOperations,
    DeploymentStore,
    EffectiveDeploymentReader,
)
from hedgerow.services.greengrassv2.tags import Tagged, TagOperations
from hedgerow.services.iot.jobs import Jobs, JobStore
from hedgerow.services.iot.jobs.documents import Links
from hedgerow.services.iot.jobs.flows import Objects
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.registry_events import RegistryEvents
from hedgerow.services.iot.shadows import (
    ShadowFollowUps,
    ShadowLimits,
    ShadowOperations,
    Shadows,
    ShadowTopics,
)
from hedgerow.services.lambda_.functions import FunctionReader
from hedgerow.services.s3.objects import ObjectFlows, ObjectStore
from hedgerow.store import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What other parts need of it: provisioning and rules write shadows, whoever starts a job uses `jobs`."""

    shadows: Shadows
    jobs: Jobs
    components: ComponentStore


def build_fleet(
    *,
    tables: Tables,
    run: Run,
    clock: Clock,
    ids: Ids,
    pager: Pager,
    stores: Stores,
    functions: FunctionReader,
    objects: ObjectFlows,
    rights: CallerRights,
    telling: RegistryEvents,
    job_links: Links,
    job_objects: Objects,
) -> Fleet:
    """Build it and enter its rows."""
    pages, shadows, job_store = Pages(pager), _shadows(tables, pager, stores), JobStore()
    steady = Steady(clock=clock, ids=ids)
    jobs = build_jobs(
        tables=tables,
        pages=pages,
        stores=stores,
        store=job_store,
        telling=telling,
        links=job_links,
        objects=job_objects,
        run=run,
        rights=rights,
        steady=steady,
    )
    build_commands(tables=tables, ids=ids, pages=pages, things=stores.things, steady=steady)
    components = ComponentStore()
    flows = ComponentFlows(
        run=run,
        store=components,
        artifacts=ComponentArtifacts(run=run, objects=ObjectStore(), links=objects),
        functions=ComponentFunctions(functions=functions),
        rights=rights,
    )
    operations = ComponentOperations(store=components, pages=pages)
    tables.serve("greengrassv2", greengrass_rows.component_rows(components=operations, flows=flows))
    documents = DeploymentShadowDocuments(shadows=shadows)
    carriers = DeploymentJobs(jobs=jobs, store=job_store)
    deployments = _serve_deployments(tables, run, rights, ids, pages, stores, components, carriers, documents)
    reader = EffectiveDeploymentReader(store=deployments, jobs=carriers, shadows=documents)
    core_devices = _serve_core_devices(tables, pages, stores, reader)
    kinds: dict[str, Tagged] = {"components": components, "deployments": deployments, "coreDevices": core_devices}
    tables.serve("greengrassv2", greengrass_rows.tag_rows(tags=TagOperations(kinds=kinds)))
    return Fleet(shadows=shadows, jobs=jobs, components=components)


def _serve_deployments(
    tables: Tables,
    run: Run,
    rights: CallerRights,
    ids: Ids,
    pages: Pages,
    stores: Stores,
    components: ComponentStore,
    jobs: DeploymentJobs,
    shadows: DeploymentShadowDocuments,
) -> DeploymentStore:
    store = DeploymentStore()
    operations = DeploymentOperations(
        store=store,
        components=components,
        things=stores.things,
        groups=stores.groups,
        jobs=jobs,
        shadows=shadows,
        ids=ids,
        pages=pages,
        anywhere=frozenset({NUCLEUS}),
    )
    flows = DeploymentFlows(run=run, operations=operations, rights=rights)
    tables.serve("greengrassv2", greengrass_rows.deployment_rows(deployments=operations, flows=flows))
    return store


def _serve_core_devices(
    tables: Tables, pages: Pages, stores: Stores, deployments: EffectiveDeploymentReader
) -> CoreDeviceStore:
    store = CoreDeviceStore()
    operations = CoreDeviceOperations(store=store, groups=stores.groups, deployments=deployments, pages=pages)
    tables.serve("greengrassv2", greengrass_rows.core_device_rows(core_devices=operations))
    tables.serve("hedgerow-device", greengrass_rows.device_rows(core_devices=operations))
    tables.answer(greengrass_rows.topic_rows(health=HealthTopics(store=store)))
    return store


def _shadows(tables: Tables, pager: Pager, stores: Stores) -> Shadows:
    store = stores.shadows
    shadows = Shadows(store=store, limits=ShadowLimits())
    operations = ShadowOperations(shadows=shadows, store=store, pager=pager)
    tables.serve("iot-data", shadow_rows.rows(shadows=operations))
    tables.answer(shadow_rows.topic_rows(shadows=ShadowTopics(shadows=shadows)))
    tables.follow(shadow_rows.follow_up_rows(shadows=ShadowFollowUps(store=store)))
    return shadows

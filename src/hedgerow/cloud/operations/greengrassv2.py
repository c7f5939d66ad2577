"""The rows of `greengrassv2`, those of `hedgerow-device` that belong to it, and the topic of health reports."""

from hedgerow.api.operations import Also, Row, flow, read, write
from hedgerow.cloud.rows import TopicRow
from hedgerow.services.greengrassv2.components import ComponentFlows, ComponentOperations
from hedgerow.services.greengrassv2.core_devices import CoreDeviceOperations, HealthTopics
from hedgerow.services.greengrassv2.deployments import DeploymentFlows, DeploymentOperations
from hedgerow.services.greengrassv2.tags import TagOperations

_GG = "arn:aws:greengrass:{region}:{account}:"
_DEPLOYMENT = _GG + "deployments:{deploymentId}"
_CORE = _GG + "coreDevices:{coreDeviceThingName}"
_COMPONENT = "{arn}"
_TAGGED = "{resourceArn}"
_DEPLOYING = (
    Also("iot:CreateJob", "{targetArn}", kind="thinggroup/"),
    Also("iot:UpdateThingShadow", "{targetArn}", kind="thing/"),
)


def component_rows(*, components: ComponentOperations, flows: ComponentFlows) -> dict[str, Row]:
    """Answer the operations of components."""
    return {
        "CreateComponentVersion": flow(
            flows.create_component_version,
            action="",  # the flow asks, once it knows from the recipe which component it is
            also=(Also("lambda:GetFunction", "{lambdaFunction.lambdaArn}"),),  # its code goes to the devices
        ),
        "GetComponentVersionArtifact": flow(flows.get_component_version_artifact, _COMPONENT),
        "GetComponent": read(components.get_component, _COMPONENT),
        "DescribeComponent": read(components.describe_component, _COMPONENT),
        "ListComponents": read(components.list_components),
        "ListComponentVersions": read(components.list_component_versions, _COMPONENT),
        "DeleteComponent": write(components.delete_component, _COMPONENT),
        "ResolveComponentCandidates": read(components.resolve_component_candidates),
    }


def deployment_rows(*, deployments: DeploymentOperations, flows: DeploymentFlows) -> dict[str, Row]:
    """Answer the operations of deployments."""
    return {
        "CreateDeployment": write(deployments.create_deployment, also=_DEPLOYING),
        "GetDeployment": read(deployments.get_deployment, _DEPLOYMENT),
        "ListDeployments": read(deployments.list_deployments),
        "CancelDeployment": flow(flows.cancel_deployment, _DEPLOYMENT),
        "DeleteDeployment": write(deployments.delete_deployment, _DEPLOYMENT),
    }


def core_device_rows(*, core_devices: CoreDeviceOperations) -> dict[str, Row]:
    """Answer the operations of core devices."""
    return {
        "GetCoreDevice": read(core_devices.get_core_device, _CORE),
        "ListCoreDevices": read(core_devices.list_core_devices),
        "DeleteCoreDevice": write(core_devices.delete_core_device, _CORE),
        "ListInstalledComponents": read(core_devices.list_installed_components, _CORE),
        "ListEffectiveDeployments": read(core_devices.list_effective_deployments, _CORE),
    }


def tag_rows(*, tags: TagOperations) -> dict[str, Row]:
    """Answer the operations of tags."""
    return {
        "TagResource": write(tags.tag_resource, _TAGGED),
        "UntagResource": write(tags.untag_resource, _TAGGED),
        "ListTagsForResource": read(tags.list_tags_for_resource, _TAGGED),
    }


def device_rows(*, core_devices: CoreDeviceOperations) -> dict[str, Row]:
    """Answer the operations of hedgerow-device that core devices call."""
    return {
        "ListThingGroupsForCoreDevice": read(
            core_devices.list_thing_groups_for_core_device,
            _CORE,
            action="greengrass:ListThingGroupsForCoreDevice",
        )
    }


def topic_rows(*, health: HealthTopics) -> list[TopicRow]:
    """Answer the row of health reports. They are not replied to."""
    return [TopicRow("$aws/things/+/greengrassv2/health/json", operation=health.on_health)]

"""The policy of a device that keeps to itself: what `hedgerow device create` and the test fixture attach."""

from typing import Any, Final

CORE: Final = (
    "greengrass:GetComponentVersionArtifact",
    "greengrass:ListThingGroupsForCoreDevice",
    "greengrass:ResolveComponentCandidates",
)
"""What a core device asks for when it carries a deployment out."""


def device_policy(region: str, account: str) -> dict[str, Any]:
    """Answer a policy that lets a thing connect as itself, use its own topics, rotate its certificate, be a core."""
    own = f"arn:aws:iot:{region}:{account}:"
    name = "${iot:Connection.Thing.ThingName}"
    topics = [f"devices/{name}/*", f"$aws/things/{name}/*", f"$aws/commands/things/{name}/*"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "iot:Connect", "Resource": f"{own}client/{name}"},
            {
                "Effect": "Allow",
                "Action": ["iot:Publish", "iot:Receive", "iot:RetainPublish"],
                "Resource": [f"{own}topic/{topic}" for topic in topics],
            },
            {
                "Effect": "Allow",
                "Action": "iot:Subscribe",
                "Resource": [f"{own}topicfilter/{topic}" for topic in topics],
            },
            {"Effect": "Allow", "Action": list(CORE), "Resource": "*"},
            {"Effect": "Allow", "Action": "hedgerow:RotateCertificate", "Resource": "*"},
        ],
    }

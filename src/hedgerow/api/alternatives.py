"""What to use instead of what is not here: the words of a refusal by name, and of the coverage page.

Going by the names of operations, so that nothing has to be changed here when one is added: what is answered is never
asked about.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

_DEFENDER: Final = (
    "there is no Device Defender: watch devices with topic rules, the `cloudwatchMetric` action and connection events"
)
_OUTWARD: Final = "a topic rule's `http`, `lambda` or `republish` action hands messages on"

_IOT: Final[Sequence[tuple[str, str]]] = (
    ("Audit|Mitigation|Violation|SecurityProfile|Dimension|CustomMetric|BehaviorModel|MetricValues", _DEFENDER),
    ("OTAUpdate|Stream", "deliver files with a job whose document links to them, or as a Greengrass V2 component"),
    ("Package|Sbom", "keep software versions in thing attributes, or as Greengrass V2 components"),
    ("EncryptionConfiguration", "start the cloud with `--host NAME` and its own settings"),
)
_SERVICES: Final[Mapping[str, str]] = {
    "iot-data": "publish to a topic that the client subscribes to",
    "iot-jobs-data": "create a job",
    "iotsecuretunneling": "reach the device by SSH over a network of your own",
    "greengrass": "use Greengrass V2 (`greengrassv2`): components, deployments, core devices",
    "greengrassv2": "use components and deployments to things and thing groups",
    "lambda": "make functions from .zip packages and call them with Invoke or from topic rules",
    "s3": "buckets and objects have their plain operations here, without versions, lifecycles and ACLs",
    "logs": "FilterLogEvents and GetLogEvents read what was logged",
    "cloudwatch": "GetMetricData and GetMetricStatistics read metrics; a topic rule raises alarms",
    "iam": "users, roles and their policies are here; the rest of IAM is not",
    "sts": "use AssumeRole or GetSessionToken",
    "dynamodb": _OUTWARD,
    "sns": _OUTWARD,
    "sqs": _OUTWARD,
    "kinesis": _OUTWARD,
    "firehose": _OUTWARD,
    "events": _OUTWARD,
    "stepfunctions": _OUTWARD,
    "timestream-write": _OUTWARD,
    "timestream-query": "GetMetricData reads what the `cloudwatchMetric` action stored",
    "secretsmanager": "hand secrets to functions as environment variables, which are sealed at rest",
    "kms": "everything is sealed at rest under the cloud's own master key",
    "cloudformation": "make the resources with their own operations",
}


def instead(service: str, operation: str) -> str:
    """Answer what to use instead of an operation that is not here, in the middle of a sentence."""
    if service == "iot":
        for pattern, words in _IOT:
            if re.search(pattern, operation):
                return words
    return _SERVICES.get(service, elsewhere(service))


def elsewhere(service: str) -> str:
    """Answer how a client goes on using a service that is not here at all."""
    name = re.sub("[^A-Z0-9]", "_", service.upper())
    return f"set AWS_ENDPOINT_URL_{name} to where the service is"

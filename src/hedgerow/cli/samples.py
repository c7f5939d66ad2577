"""Sample values for members of the service models, and the things that sample calls are about.

Used by the generated pages alone (`cli/members.py`). A value is the one for the member's name, else the first of some
plain ones that the shape allows. Spec: the models' own constraints.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from hedgerow.cli.sample_calls import BESIDES, LEAF, NAME, OTHER_ACCOUNT, RECIPE, family, package
from hedgerow.core.wire.model import Member, Shape
from hedgerow.core.wire.validation import compiled

_UUID: Final = "11111111-2222-4333-8444-555555555555"
_TEXTS: Final = (
    NAME,
    "1",
    "true",
    "/sample/",
    "a@example.com",
    _UUID,
    "a" * 64,
    "2026-11-21T00:00:00Z",
    "{}",
    "v1",
    "123456",
)
_IAM: Final = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["iot:Publish", "sts:*", "s3:GetObject"], "Resource": "*"}],
}
_TRUST: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {
                "Service": ["iot.amazonaws.com", "lambda.amazonaws.com", "credentials.iot.amazonaws.com"],
                "AWS": "*",
            },
            "Action": "sts:AssumeRole",
        }
    ],
}
_TEMPLATE: Final = {
    "Parameters": {"SerialNumber": {"Type": "String"}},
    "Resources": {
        "certificate": {
            "Type": "AWS::IoT::Certificate",
            "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "Active"},
        }
    },
}


def _request() -> str:
    """Answer a certificate signing request."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    key = ec.generate_private_key(ec.SECP256R1())
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


_OPERATORS_TEMPLATE: Final = {
    "Resources": {
        "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateSigningRequest": _request()}}
    }
}


def _public_key() -> str:
    """Answer a public key that tokens can be signed for."""
    key = rsa.generate_private_key(65537, 2048).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


_ACM: Final = f"arn:aws:acm:us-east-1:{OTHER_ACCOUNT}:certificate/sample"
_METRIC: Final = {"Metric": {"Namespace": NAME, "MetricName": NAME}, "Period": 60, "Stat": "Sum"}
#: structures that mean nothing with their required members alone
_STRUCTURES: Final[Mapping[str, Mapping[str, Any]]] = {
    "MetricDataQuery": {"Id": "a", "MetricStat": _METRIC},
    "MetricDatum": {"Value": 1.0},
    "AuthInfo": {"actionType": "PUBLISH"},
    "Field": {"name": "attributes.sample", "type": "String"},
    "ElasticsearchAction": {"endpoint": "https://search.example.com"},
    "OpenSearchAction": {"endpoint": "https://search.example.com"},
    "SalesforceAction": {"token": "a" * 40, "url": "https://ingestion-a.b.sfdcnow.com/streams/a/b/event"},
}


_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "blob": bytes,
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
    "timestamp": float,
    "boolean": bool,
}


class Samples:
    """Makes inputs for one account. With `fresh` set, names are new each time they are asked for."""

    def __init__(self, *, account: str, region: str) -> None:
        self.fresh = False
        self.where = ("", "")
        """The service and operation that values are for."""
        self._numbers = count(1)
        iot = f"arn:aws:iot:{region}:{account}:"
        role = f"arn:aws:iam::{account}:role/{NAME}"
        function = f"arn:aws:lambda:{region}:{account}:function:{NAME}"
        self._named: dict[str, Any] = {
            "roleArn": role,
            "RoleArn": role,
            "Role": role,
            "provisioningRoleArn": role,
            "policyDocument": json.dumps(_IAM),
            "PolicyDocument": json.dumps(_IAM),
            "AssumeRolePolicyDocument": json.dumps(_TRUST),
            "PolicyArn": f"arn:aws:iam::{account}:policy/{NAME}",
            "VersionId": "v1",
            "policyVersionId": "1",
            "certificateSigningRequest": _request(),
            "caCertificate": family()[0],
            "iot.RegisterCertificate.certificatePem": LEAF,
            "authorizerFunctionArn": function,
            "lambdaFunctionArn": function,
            "tokenSigningPublicKeys": {NAME: _public_key()},
            "targetAwsAccount": OTHER_ACCOUNT,
            "hedgerow.CreateAccount.accountId": OTHER_ACCOUNT.replace("9", "8"),
            "serverCertificateArns": [_ACM],
            "validationCertificateArn": _ACM,
            "ocspAuthorizedResponderArn": _ACM,
            "jobTemplateArn": f"arn:aws:iot:{region}::jobtemplate/AWS-Reboot:1.0",
            "destinationPackageVersions": [f"{iot}package/sample/version/1"],
            "payloadVersion": "2020-04-01",
            "separator": ",",
            "parentTargetArn": f"{iot}thinggroup/parent",
            "thingGroupArn": f"{iot}thinggroup/{NAME}",
            "iot.TagResource.resourceArn": f"{iot}thinggroup/{NAME}",
            "iot.UntagResource.resourceArn": f"{iot}thinggroup/{NAME}",
            "iot.ListTagsForResource.resourceArn": f"{iot}thinggroup/{NAME}",
            "iot.UpdateDynamicThingGroup.thingGroupName": "dynamic",
            "iot.CreateDynamicThingGroup.thingGroupName": "dynamic2",
            "iot.CreateFleetMetric.metricName": "fresh",
            "aggregationField": "registry.version",
            "percents": [50.0],
            "indexName": "AWS_Things",
            "aggregationType": {"name": "Statistics", "values": ["average"]},
            "targets": [f"{iot}thing/{NAME}"],
            "targetArn": f"{iot}thing/{NAME}",
            "resourceArn": f"{iot}thing/{NAME}",
            "document": '{"do": "it"}',
            "templateBody": json.dumps(_TEMPLATE),
            "sql": "SELECT * FROM 'sample'",
            "functionArn": function,
            "lambdaArn": f"{function}:1",
            "Resource": function,
            "Code": {"ZipFile": package()},
            "EndTime": 1_800_003_600.0,
            "actions": [],
            "destinationConfiguration": {"httpUrlConfiguration": {"confirmationUrl": "https://127.0.0.1:9/confirm"}},
            "greengrassv2.resourceArn": f"arn:aws:greengrass:{region}:{account}:components:com.sample:versions:1.0.0",
            "greengrassv2.ListComponentVersions.arn": f"arn:aws:greengrass:{region}:{account}:components:com.sample",
            "hedgerow-device.RequestCertificate.certificateSigningRequest": _request(),
            "hedgerow-device.RequestCertificate.accountId": account,
            "iot.RegisterThing.templateBody": json.dumps(_OPERATORS_TEMPLATE),
            "iot.StartThingRegistrationTask.templateBody": json.dumps(_OPERATORS_TEMPLATE),
            "hedgerow.PutClaim.networks": ["192.0.2.0/24"],
            "hedgerow.PutClaim.notAfter": 1_900_000_000.0,
            "iam.UpdateAssumeRolePolicy.PolicyDocument": json.dumps(_TRUST),
            "Runtime": "python3.11",
            "Handler": "app.handler",
            "ZipFile": package(),
            "Payload": b"{}",
            "payload": b'{"state": {"desired": {"on": true}}}',
            "inlineRecipe": json.dumps(RECIPE).encode(),
            "arn": f"arn:aws:greengrass:{region}:{account}:components:com.sample:versions:1.0.0",
            "componentName": "com.sample",
            "componentVersion": "1.0.0",
            "confirmationUrl": "https://127.0.0.1:9/confirm",
            "url": "https://127.0.0.1:9/sample",
            "httpUrl": "https://127.0.0.1:9/sample",
            "parentGroupName": "parent",
            "commandArn": f"{iot}command/{NAME}",
            "LocationConstraint": region,
            "Bucket": "sample-bucket",
            "CopySource": "sample-bucket/sample",
            "Body": b"sample",
            "MetricName": NAME,
            "Namespace": NAME,
            "Period": 60,
            "Stat": "Sum",
            "Statistics": ["Sum"],
            "endpointType": "iot:Data-ATS",
            "securityPolicy": "IoTSecurityPolicy_TLS13_1_2_2022_10",
            "allowAuthorizerOverride": True,
            "queryString": "thingName:sample",
            "functionName": NAME,
            "principal": NAME,
            "iot.SetV2LoggingOptions.eventType": "Connect",
            "iot.SetV2LoggingLevel.logTarget": {"targetType": "CLIENT_ID", "targetName": NAME},
            "Principal": "iot.amazonaws.com",
            "Action": "lambda:InvokeFunction",
            "Path": "/sample/",
        }

    def learn(self, **values: Any) -> None:
        """Remember what a call answered, for the members of these names."""
        self._named.update(values)

    def values(self, member: Member, name: str) -> Iterator[Any]:
        """Answer the values to try for a member: all of a short enumeration, else one."""
        shape = member.shape
        if self._known(shape, name) is None and shape.enum is not None and len(shape.enum) <= 8:
            yield from sorted(shape.enum)
        else:
            yield self.value(member, name)

    def value(self, member: Member, name: str) -> Any:
        """Answer a value with no more in it than it must have."""
        shape = member.shape
        if member.json_value or shape.document:
            return {}
        known = self._known(shape, name)
        if known is not None and not (self.fresh and self._is_own_name(name)):
            return known
        made = self._scalar(shape, name)
        if made is not None:
            return made
        if shape.type == "structure":
            return self.structure(shape)
        if shape.type == "list" and shape.member is not None:
            return [self.value(shape.member, name.removesuffix("s"))]
        if shape.type == "map" and shape.key is not None and shape.value is not None:
            return {str(self.value(shape.key, "key")): self.value(shape.value, "value")}
        raise ValueError(f"no value for {shape.type}")

    def structure(self, shape: Shape) -> dict[str, Any]:
        """Answer a structure with its required members; one member of a union."""
        if shape.union:
            first = next(iter(shape.members.values()))
            return {first.name: self.value(first, first.name)}
        needed = {name: self.value(shape.members[name], name) for name in shape.required}
        return {**needed, **_STRUCTURES.get(shape.name, {})}

    def base(self, shape: Shape) -> dict[str, Any]:
        """Answer the input of the operation that `where` names: what is required, and what it asks for besides."""
        besides = BESIDES.get(self.where, {})
        return {
            **self.structure(shape),
            **{name: self._named[name] if value is None else value for name, value in besides.items()},
        }

    def _known(self, shape: Shape, name: str) -> Any:
        """Answer the value that is kept for a member of this name, None when there is none of its type."""
        service, operation = self.where
        found = self._named.get(f"{service}.{operation}.{name}", self._named.get(f"{service}.{name}"))
        found = self._named.get(name) if found is None else found
        return found if isinstance(found, _TYPES.get(shape.type, str)) else None

    def _scalar(self, shape: Shape, name: str) -> Any:
        if shape.type in ("string", "character"):
            return self._text(shape, name)
        if shape.type in ("integer", "long", "float", "double"):
            return max(shape.minimum if shape.minimum is not None else 1, 1)
        simple: Mapping[str, Any] = {"boolean": True, "timestamp": 1_800_000_000.0, "blob": b"sample"}
        return simple.get(shape.type)

    def _text(self, shape: Shape, name: str) -> str:
        if shape.enum:
            return min(shape.enum)
        texts: Sequence[str] = _TEXTS
        if self.fresh and self._is_own_name(name):
            texts = (f"fresh{next(self._numbers)}", *texts)
        return next((text for text in texts if _fits(shape, text)), NAME)

    @staticmethod
    def _is_own_name(name: str) -> bool:
        return name.endswith(("Name", "Id", "Alias", "Bucket")) and not name.endswith(("NextToken", "VersionId"))


def _fits(shape: Shape, text: str) -> bool:
    if not (shape.minimum or 0) <= len(text) <= (shape.maximum or 10_000):
        return False
    pattern = compiled(shape.pattern) if shape.pattern else None
    return pattern is None or pattern.fullmatch(text) is not None

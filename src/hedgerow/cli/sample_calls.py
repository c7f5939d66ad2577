"""The sample calls: what is there when they are made, and what an operation wants besides what its model requires.

Used by the generated pages alone (`cli/members.py`); the values of single members are in `samples.py`.
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME: Final = "sample"
OTHER_ACCOUNT: Final = "123456789999"


RECIPE: Final = {
    "RecipeFormatVersion": "2020-01-25",
    "ComponentName": "com.sample",
    "ComponentVersion": "1.0.0",
    "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": {"run": "true"}}],
}


#: what the sample function answers to everybody, authorizers' callers included
_ANSWER: Final = {
    "isAuthenticated": True,
    "principalId": NAME,
    "disconnectAfterInSeconds": 300,
    "refreshAfterInSeconds": 300,
    "policyDocuments": [
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}'
    ],
}


def package() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        made.writestr("app.py", f"def handler(event, context):\n    return {_ANSWER}\n")
    return data.getvalue()


def family() -> tuple[str, str]:
    """Answer the certificate of a CA, and one that it signed."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sample CA")])
    key = ec.generate_private_key(ec.SECP256R1())
    ca = _signed(subject, subject, key.public_key(), key, is_ca=True)
    leaf = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    return ca, _signed(leaf, subject, ec.generate_private_key(ec.SECP256R1()).public_key(), key, is_ca=False)


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    is_ca: bool,
) -> str:
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2049, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


CA, LEAF = family()
_BOTH: Final = {"thingName": NAME, "thingGroupName": NAME}
#: members that an operation wants although its model does not say so
BESIDES: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    ("greengrassv2", "CreateComponentVersion"): {"inlineRecipe": json.dumps(RECIPE).replace("1.0.0", "2.0.0").encode()},
    ("iot", "AddThingToThingGroup"): _BOTH,
    ("iot", "RemoveThingFromThingGroup"): _BOTH,
    ("iot", "AddThingToBillingGroup"): {"thingName": NAME, "billingGroupName": NAME},
    ("iot", "RemoveThingFromBillingGroup"): {"thingName": NAME, "billingGroupName": NAME},
    ("iot", "UpdateThingGroupsForThing"): {"thingName": NAME},
    ("iot", "CreateCommand"): {"payload": {"content": b"{}"}},
    ("iot", "CreateDomainConfiguration"): {"domainName": "sample.acme.example"},
    ("iot", "CreateJob"): {"document": "{}"},
    ("iot", "CreateJobTemplate"): {"document": "{}", "jobTemplateId": "another"},
    ("iot", "DescribeManagedJobTemplate"): {"templateName": "AWS-Reboot"},
    ("iot", "AssociateTargetsWithJob"): {"jobId": "continuous"},
    ("iot", "DeleteJob"): {"force": True},
    ("iot", "ListCommandExecutions"): {"commandArn": None},  # the one that is kept for its name
    ("iot", "DeleteThingType"): {"thingTypeName": "spare"},
    ("iot", "GetEffectivePolicies"): {"thingName": NAME},
    ("iot", "RegisterCACertificate"): {"certificateMode": "SNI_ONLY"},
    ("iot", "RegisterCertificate"): {"caCertificatePem": CA},
    ("iot", "CreateAuthorizer"): {"signingDisabled": True},
    ("iot", "GetBucketsAggregation"): {"bucketsAggregationType": {"termsAggregation": {"maxBuckets": 5}}},
    ("iot", "TestAuthorization"): {"principal": None},
    ("hedgerow", "CloseConnections"): {"everyone": True},
    ("hedgerow", "ExplainAuthorization"): {"thingName": NAME},
    ("iot-jobs-data", "UpdateJobExecution"): {"status": "IN_PROGRESS"},
    ("cloudwatch", "GetMetricStatistics"): {"Statistics": ["Sum"]},
    ("lambda", "CreateFunction"): {"Runtime": "python3.11", "Handler": "app.handler"},
    ("lambda", "CreateAlias"): {"FunctionName": NAME, "FunctionVersion": "1"},
    ("lambda", "AddPermission"): {"FunctionName": NAME},
    ("lambda", "UpdateFunctionCode"): {"ZipFile": package()},
    ("logs", "DescribeLogStreams"): {"logGroupName": NAME},
    ("logs", "FilterLogEvents"): {"logGroupName": NAME},
    ("logs", "GetLogEvents"): {"logGroupName": NAME},
    ("s3", "CopyObject"): {"Key": "copy"},
    ("iam", "DeleteAccessKey"): {"UserName": NAME},
    ("iam", "UpdateAccessKey"): {"UserName": NAME},
    ("iam", "GetUser"): {"UserName": NAME},
}
#: what is there when the sample calls are made: service, operation, further members, and what its answer teaches
SEEDS: Final[Sequence[tuple[str, str, Mapping[str, Any], Mapping[str, str]]]] = (
    ("iot", "CreateThingType", {}, {}),
    ("iot", "CreateThingType", {"thingTypeName": "spare"}, {}),
    ("iot", "DeprecateThingType", {"thingTypeName": "spare"}, {}),
    ("iot", "CreateThing", {}, {}),
    ("iot", "CreateThingGroup", {"thingGroupName": "parent"}, {}),
    ("iot", "CreateThingGroup", {}, {}),
    ("iot", "CreateBillingGroup", {}, {}),
    ("iot", "AddThingToThingGroup", {"thingName": NAME, "thingGroupName": NAME}, {}),
    (
        "iot",
        "CreateKeysAndCertificate",
        {"setAsActive": True},
        {
            "certificateId": "certificateId",
            "certificateArn": "certificateArn",
            "certificatePem": "certificatePem",
            "principal": "certificateArn",
            "target": "certificateArn",
        },
    ),
    ("iot", "CreateKeysAndCertificate", {}, {"iot.DeleteCertificate.certificateId": "certificateId"}),
    ("iot", "CreateKeysAndCertificate", {}, {"iot.TransferCertificate.certificateId": "certificateId"}),
    ("hedgerow", "CreateAccount", {"accountId": OTHER_ACCOUNT}, {}),
    (
        "iot",
        "UpdateIndexingConfiguration",
        {
            "thingIndexingConfiguration": {
                "thingIndexingMode": "REGISTRY_AND_SHADOW",
                "thingConnectivityIndexingMode": "STATUS",
            }
        },
        {},
    ),
    (
        "iot",
        "CreateKeysAndCertificate",
        {},
        {
            f"hedgerow.{operation}.certificateId": "certificateId"
            for operation in ("PutClaim", "GetClaim", "DeleteClaim")
        },
    ),
    ("hedgerow", "PutClaim", {}, {}),
    ("hedgerow-device", "RequestCertificate", {"serialNumber": NAME, "token": NAME}, {}),
    (
        "iot",
        "RegisterCACertificate",
        {"certificateMode": "SNI_ONLY", "caCertificate": CA, "setAsActive": True},
        {
            "iot.DescribeCACertificate.certificateId": "certificateId",
            "iot.UpdateCACertificate.certificateId": "certificateId",
            "caCertificateId": "certificateId",
        },
    ),
    ("iot", "CreatePolicy", {}, {}),
    ("iot", "AttachPolicy", {}, {}),
    ("iot", "AttachThingPrincipal", {"thingName": NAME}, {}),
    ("iam", "CreateRole", {"RoleName": NAME}, {}),
    ("iam", "CreateUser", {"UserName": NAME}, {}),
    ("iam", "CreateGroup", {"GroupName": NAME}, {}),
    ("iam", "CreatePolicy", {"PolicyName": NAME}, {}),
    ("iam", "PutRolePolicy", {"RoleName": NAME}, {}),
    ("iam", "PutUserPolicy", {"UserName": NAME}, {}),
    ("iam", "CreateAccessKey", {"UserName": NAME}, {"AccessKeyId": "AccessKey.AccessKeyId"}),
    ("iot", "CreateRoleAlias", {}, {}),
    ("iot", "CreateProvisioningTemplate", {"enabled": True}, {}),
    ("iot", "CreateTopicRule", {"ruleName": NAME, "topicRulePayload": {"sql": "SELECT * FROM 'a'", "actions": []}}, {}),
    ("iot", "CreateJob", {"jobId": NAME, "document": "{}"}, {}),
    ("iot", "CreateJob", {"jobId": "continuous", "document": "{}", "targetSelection": "CONTINUOUS"}, {}),
    ("iot", "CreateDomainConfiguration", {"domainName": "seed.acme.example"}, {}),
    ("iot", "SetV2LoggingOptions", {"disableAllLogs": True}, {}),
    ("iot", "CreateCommand", {"commandId": NAME, "payload": {"content": b"{}"}}, {}),
    ("iot-jobs-data", "StartCommandExecution", {}, {"executionId": "executionId"}),
    ("iot", "CreateJobTemplate", {"jobTemplateId": NAME, "document": "{}"}, {}),
    ("iot-data", "UpdateThingShadow", {"thingName": NAME}, {}),
    ("lambda", "CreateFunction", {"FunctionName": NAME, "Runtime": "python3.11", "Handler": "app.handler"}, {}),
    ("lambda", "PublishVersion", {"FunctionName": NAME}, {}),
    ("lambda", "CreateAlias", {"FunctionName": NAME, "Name": NAME, "FunctionVersion": "1"}, {}),
    ("lambda", "AddPermission", {"FunctionName": NAME, "StatementId": NAME}, {}),
    ("iot", "CreateAuthorizer", {"signingDisabled": True}, {}),
    ("s3", "CreateBucket", {}, {}),
    ("s3", "PutObject", {"Key": NAME, "Body": b"sample"}, {}),
    (
        "iot",
        "StartThingRegistrationTask",
        {"inputFileBucket": NAME, "inputFileKey": NAME},
        {"taskId": "taskId"},
    ),
    ("s3", "CreateMultipartUpload", {"Key": NAME}, {"UploadId": "UploadId"}),
    ("logs", "CreateLogGroup", {"logGroupName": NAME}, {}),
    ("logs", "CreateLogStream", {"logGroupName": NAME, "logStreamName": NAME}, {}),
    ("greengrassv2", "CreateComponentVersion", {"inlineRecipe": json.dumps(RECIPE).encode()}, {}),
    ("greengrassv2", "CreateDeployment", {}, {"deploymentId": "deploymentId"}),
    ("iot", "CreateDynamicThingGroup", {"thingGroupName": "dynamic"}, {}),
    ("iot", "CreateFleetMetric", {"metricName": NAME}, {}),
)

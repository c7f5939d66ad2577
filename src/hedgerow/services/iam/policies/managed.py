"""The managed policies that every account has, under AWS's names and ARNs, in our own words.

They grant what their names say of the services that are here. A table: adding one is adding a row.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from hedgerow.services.iam.policies.model import AWS_ACCOUNT, Policy, Version

_SINCE: Final = 1_420_070_400.0  # 2015-01-01, an even date for all of them

_LOGS_WRITE: Final = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
_S3_READ: Final = ("s3:Get*", "s3:List*", "s3:Describe*")

_POLICIES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {  # path and name: (description, actions on everything)
    "/AdministratorAccess": ("Everything in the account.", ("*",)),
    "/PowerUserAccess": (
        "Everything but identities.",
        ("iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole", "iam:ListRoles"),
    ),
    "/ReadOnlyAccess": (
        "Reading of everything.",
        (
            *("cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*", "greengrass:Get*", "greengrass:List*"),
            *("iam:Get*", "iam:List*", "iot:Describe*", "iot:Get*", "iot:List*", "iot:SearchIndex", "lambda:Get*"),
            *("lambda:List*", "logs:Describe*", "logs:FilterLogEvents", "logs:Get*", "s3:Get*", "s3:List*"),
        ),
    ),
    "/IAMFullAccess": ("Everything of IAM.", ("iam:*",)),
    "/IAMReadOnlyAccess": ("Reading of IAM.", ("iam:Get*", "iam:List*", "iam:Simulate*")),
    "/AmazonS3FullAccess": ("Everything of S3.", ("s3:*",)),
    "/AmazonS3ReadOnlyAccess": ("Reading of S3.", _S3_READ),
    "/AWSIoTFullAccess": ("Everything of IoT Core.", ("iot:*", "iotjobsdata:*")),
    "/AWSIoTConfigAccess": (
        "Setting up of IoT Core, without its data.",
        (
            *("iot:Accept*", "iot:Add*", "iot:Associate*", "iot:Attach*", "iot:Cancel*", "iot:Clear*", "iot:Confirm*"),
            *("iot:Create*", "iot:Delete*", "iot:Deprecate*", "iot:Describe*", "iot:Detach*", "iot:Disable*"),
            *("iot:Enable*", "iot:Get*", "iot:List*", "iot:Register*", "iot:Reject*", "iot:Remove*", "iot:Replace*"),
            *("iot:SearchIndex", "iot:Set*", "iot:Start*", "iot:Stop*", "iot:Test*", "iot:Transfer*", "iot:Update*"),
            "iot:Validate*",
        ),
    ),
    "/AWSIoTConfigReadOnlyAccess": (
        "Reading of what IoT Core is set up to do.",
        ("iot:Describe*", "iot:Get*", "iot:List*", "iot:SearchIndex", "iot:TestAuthorization"),
    ),
    "/AWSIoTDataAccess": (
        "The messages and shadows of IoT Core.",
        (
            *("iot:Connect", "iot:Publish", "iot:Subscribe", "iot:Receive", "iot:RetainPublish"),
            *("iot:GetThingShadow", "iot:UpdateThingShadow", "iot:DeleteThingShadow"),
            *("iot:ListNamedShadowsForThing", "iot:GetRetainedMessage", "iot:ListRetainedMessages"),
        ),
    ),
    "/service-role/AWSIoTThingsRegistration": (
        "What a provisioning template does: things, certificates and policies are made and joined.",
        (
            *("iot:AddThingToBillingGroup", "iot:AddThingToThingGroup", "iot:AttachPolicy"),
            *("iot:AttachPrincipalPolicy", "iot:AttachThingPrincipal", "iot:CreateCertificateFromCsr"),
            *("iot:CreatePolicy", "iot:CreateThing", "iot:DescribeCertificate", "iot:DescribeThing"),
            *("iot:DescribeThingGroup", "iot:DescribeThingType", "iot:DetachPolicy", "iot:DetachThingPrincipal"),
            *("iot:GetPolicy", "iot:ListAttachedPolicies", "iot:ListPolicyPrincipals", "iot:ListPrincipalPolicies"),
            *("iot:ListPrincipalThings", "iot:ListTargetsForPolicy", "iot:ListThingGroupsForThing"),
            *("iot:ListThingPrincipals", "iot:RegisterCertificate", "iot:RegisterThing", "iot:RemoveThingFrom*"),
            *("iot:UpdateCertificate", "iot:UpdateThing", "iot:UpdateThingGroupsForThing"),
        ),
    ),
    "/service-role/AWSIoTLogging": ("The log of IoT Core.", (*_LOGS_WRITE, "logs:GetLogEvents", "logs:Describe*")),
    "/service-role/AWSIoTRuleActions": (
        "What topic rules do with messages.",
        ("dynamodb:PutItem", "kinesis:PutRecord", "iot:Publish", "s3:PutObject", "sns:Publish", "sqs:SendMessage*"),
    ),
    "/service-role/AWSLambdaBasicExecutionRole": ("The log of a function.", _LOGS_WRITE),
    "/service-role/AWSLambdaRole": ("Calling of functions.", ("lambda:InvokeFunction",)),
    "/AWSLambda_FullAccess": (
        "Everything of Lambda.",
        ("lambda:*", "logs:Describe*", "logs:FilterLogEvents", "logs:Get*", "iam:GetRole*", "iam:ListRole*"),
    ),
    "/AWSLambda_ReadOnlyAccess": ("Reading of Lambda.", ("lambda:Get*", "lambda:List*", "logs:Describe*")),
    "/CloudWatchFullAccess": ("Everything of metrics and logs.", ("cloudwatch:*", "logs:*")),
    "/CloudWatchReadOnlyAccess": (
        "Reading of metrics and logs.",
        ("cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*", "logs:Describe*", "logs:Get*", "logs:Filter*"),
    ),
    "/CloudWatchLogsFullAccess": ("Everything of logs.", ("logs:*",)),
    "/AWSGreengrassFullAccess": ("Everything of Greengrass.", ("greengrass:*",)),
    "/AWSGreengrassReadOnlyAccess": ("Reading of Greengrass.", ("greengrass:Get*", "greengrass:List*")),
    "/service-role/AWSGreengrassResourceAccessRolePolicy": (
        "What Greengrass does for a group: shadows, certificates, functions, artifacts, secrets.",
        (
            *("iot:DeleteThingShadow", "iot:GetThingShadow", "iot:UpdateThingShadow", "iot:DescribeThing"),
            *("iot:DescribeCertificate", "greengrass:*", "lambda:GetFunction", "lambda:GetFunctionConfiguration"),
            *("s3:GetObject", "secretsmanager:GetSecretValue", "logs:CreateLogGroup", "logs:PutLogEvents"),
        ),
    ),
    "/GreengrassV2TokenExchangeRoleAccess": (
        "What a core device does by itself: its log, and the place of its artifacts.",
        (*_LOGS_WRITE, "logs:DescribeLogStreams", "s3:GetBucketLocation"),
    ),
}

_MORE: Final[Mapping[str, Mapping[str, Any]]] = {  # what a list of actions cannot say: one more statement
    "/PowerUserAccess": {"NotAction": ["iam:*", "organizations:*", "account:*"]},
    "/AWSLambda_FullAccess": {
        "Action": ["iam:PassRole"],
        "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
    },
}


def _policy(key: str, description: str) -> Policy:
    path, _, name = key.rpartition("/")
    mark = hashlib.sha256(key.encode()).hexdigest().upper()[:17]
    return Policy(
        account=AWS_ACCOUNT,
        name=name,
        path=f"{path}/",
        id=f"ANPA{mark}",
        description=description,
        tags={},
        default_version=1,
        created_at=_SINCE,
        updated_at=_SINCE,
    )


def _document(key: str, actions: tuple[str, ...]) -> str:
    statements: list[Mapping[str, Any]] = [{"Action": list(actions)}, *([_MORE[key]] if key in _MORE else [])]
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Resource": "*", **statement} for statement in statements],
        }
    )


MANAGED: Final[Mapping[str, tuple[Policy, Version]]] = {
    policy.arn: (policy, Version(number=1, document=_document(key, actions), created_at=_SINCE))
    for key, (description, actions) in _POLICIES.items()
    for policy in (_policy(key, description),)
}
"""By ARN."""

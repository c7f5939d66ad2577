"""Toy operations of several services, each enough for a client to tell right from wrong."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from hedgerow.api import Row, flow, read, write
from hedgerow.base.errors import ServiceError
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.store import Answer, Tx

THING = "arn:aws:iot:{region}:{account}:thing/{thingName}"


class ThingNotFound(ServiceError):
    code = "ResourceNotFoundException"


class NoSuchKey(ServiceError):
    code = "NoSuchKey"


class NoSuchRole(ServiceError):
    code = "NoSuchEntityException"


class ToyThings:
    """Things without attributes of their own: CreateThing does not honour billingGroupName."""

    def __init__(self) -> None:
        self.things: dict[str, Mapping[str, Any]] = {}

    def create_thing(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = request["thingName"]
        self.things[name] = request.take_all("attributePayload") or {}
        return Answer({"thingName": name, "thingArn": f"arn:aws:iot:{caller.region}:{caller.account}:thing/{name}"})

    def describe_thing(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = request["thingName"]
        if name not in self.things:
            raise ThingNotFound(f"Thing {name} not found.")
        return Answer({"thingName": name, "version": 1, **self.things[name]})

    def publish(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        self.things[request["topic"]] = {"payload": request["payload"], "by": caller.principal}
        return Answer()

    def assume(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        keys = {"accessKeyId": request["roleAlias"], "secretAccessKey": request.get("thingName")}
        return Answer({"credentials": {**keys, "expiration": 1_800_000_000.0}})


class ToyObjects:
    """One bucket in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, Mapping[str, str]]] = {}

    def put_object(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        request.take_all()
        self.objects[request["Key"]] = (request["Body"], dict(request.get("Metadata", {})))
        return Answer({"ETag": f'"{hashlib.md5(request["Body"]).hexdigest()}"'})

    def get_object(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        request.take_all()
        if request["Key"] not in self.objects:
            raise NoSuchKey("The specified key does not exist.")
        body, metadata = self.objects[request["Key"]]
        answer: dict[str, Any] = {"Metadata": metadata, "AcceptRanges": "bytes"}
        if "Range" in request:
            first, last = (int(part) for part in request["Range"].removeprefix("bytes=").split("-"))
            answer["ContentRange"] = f"bytes {first}-{last}/{len(body)}"
            body = body[first : last + 1]
        return Answer({**answer, "Body": body, "ContentLength": len(body)})

    def head_object(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        answer = dict(self.get_object(tx, request, caller).response)
        del answer["Body"]
        return Answer(answer)

    def list_objects(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        request.take_all()
        found = [{"Key": key, "Size": len(body), "LastModified": 1.5e9} for key, (body, _) in self.objects.items()]
        return Answer({"Name": request["Bucket"], "IsTruncated": False, "KeyCount": len(found), "Contents": found})


def get_caller_identity(tx: Tx, request: Request, caller: Caller) -> Answer:
    return Answer({"Account": caller.account, "Arn": caller.principal, "UserId": caller.access_key_id})


def get_role(tx: Tx, request: Request, caller: Caller) -> Answer:
    raise NoSuchRole(f"The role with name {request['RoleName']} cannot be found.")


def describe_log_groups(tx: Tx, request: Request, caller: Caller) -> Answer:
    return Answer({"logGroups": [{"logGroupName": request.get("logGroupNamePrefix", "") + "a", "creationTime": 1}]})


def redeem(tx: Tx, request: Request, caller: Caller) -> Answer:
    keys = {"accessKeyId": "A", "secretAccessKey": "S", "sessionToken": request["token"], "expiresAt": 1.8e9}
    return Answer({"accountId": "123456789012", "principal": caller.principal, **keys})


async def invoke(request: Request, caller: Caller) -> Mapping[str, Any]:
    request.peek("FunctionName")
    return {"StatusCode": 200, "Payload": request["FunctionName"].encode() + request["Payload"]}


async def get_object_in_pieces(request: Request, caller: Caller) -> Mapping[str, Any]:
    async def pieces() -> AsyncIterator[bytes]:
        for index in range(3):
            yield b"%d" % index * 1000

    request.take_all()
    return {"Body": pieces(), "ContentLength": 3000}


def fail(tx: Tx, request: Request, caller: Caller) -> Answer:
    raise RuntimeError("a bug of ours")


def rows(things: ToyThings, objects: ToyObjects) -> dict[tuple[str, str], Row]:
    key = "arn:aws:s3:::{Bucket}/{Key}"
    return {
        ("iot", "CreateThing"): write(things.create_thing, THING),
        ("iot", "DescribeThing"): read(things.describe_thing, THING),
        ("iot", "DeleteThing"): write(fail, THING),
        ("iot-data", "Publish"): write(things.publish, "arn:aws:iot:{region}:{account}:topic/{topic}"),
        ("hedgerow-device", "AssumeRoleWithCertificate"): read(things.assume, action="iot:AssumeRoleWithCertificate"),
        ("hedgerow", "RedeemConsoleSignIn"): write(redeem),
        ("lambda", "Invoke"): flow(invoke, "arn:aws:lambda:{region}:{account}:function:{FunctionName}"),
        ("sts", "GetCallerIdentity"): read(get_caller_identity, action=""),
        ("iam", "GetRole"): read(get_role),
        ("logs", "DescribeLogGroups"): read(describe_log_groups),
        ("cloudwatch", "PutMetricData"): write(lambda tx, request, caller: Answer(request.take_all() and {})),
        ("s3", "PutObject"): write(objects.put_object, key),
        ("s3", "GetObject"): read(objects.get_object, key),
        ("s3", "HeadObject"): read(objects.head_object, key),
        ("s3", "ListObjectsV2"): read(objects.list_objects, "arn:aws:s3:::{Bucket}"),
    }

"""Customers, their plants and the devices in them, kept apart by names, groups and policies.

    customers.py add-customer acme          a user for them, with an access key
    customers.py add-plant acme north
    customers.py add-device acme north 0001 --out DIR
    customers.py devices acme [north]

Works with any cloud that speaks AWS IoT: it needs boto3, cryptography and the usual AWS_… variables.
"""

import argparse
import json
import os
import re
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

USERS = "customers"
USER_POLICY = "customers-own-devices"
DEVICE_POLICY = "customers-device"
WORD = re.compile(r"[a-z][a-z0-9]{0,30}")  # no hyphen: it separates the parts of names


class Wrong(Exception):
    """A name that would let one customer's rights reach into another's, or a folder that is not a new device's."""


def group_of(customer, plant=None):
    return "-".join(["customer", *(word(part) for part in (customer, plant) if part is not None)])


def word(text):
    if not WORD.fullmatch(text):
        raise Wrong(f"{text!r} must be small letters and digits, a letter first")
    return text


def user_policy(region, account):
    """What users may do: everything of their own customer, known by the tag `customer` of the user."""
    own, customer = f"arn:aws:iot:{region}:{account}:", "${aws:PrincipalTag/customer}"
    return statements(
        (
            ["iot:DescribeThing", "iot:GetThingShadow", "iot:UpdateThingShadow", "iot:ListNamedShadowsForThing"],
            [f"{own}thing/{customer}-*"],
        ),
        (
            ["iot:DescribeThingGroup", "iot:ListThingsInThingGroup"],
            [f"{own}thinggroup/customer-{customer}", f"{own}thinggroup/customer-{customer}-*"],
        ),
        ("iot:Connect", [f"{own}client/user-{customer}-*"]),
        ("iot:Subscribe", [f"{own}topicfilter/customers/{customer}/*"]),
        ("iot:Receive", [f"{own}topic/customers/{customer}/*"]),
        ("iot:Publish", [f"{own}topic/customers/{customer}/*/commands"]),
    )


def device_policy(region, account):
    """What devices may do: speak below their own customer and name. The customer stands in the registry."""
    own, name = f"arn:aws:iot:{region}:{account}:", "${iot:Connection.Thing.ThingName}"
    topics = ["customers/${iot:Connection.Thing.Attributes[customer]}/" + name + "/*", f"$aws/things/{name}/*"]
    return statements(
        ("iot:Connect", [f"{own}client/{name}"]),
        (["iot:Publish", "iot:Receive"], [f"{own}topic/{topic}" for topic in topics]),
        ("iot:Subscribe", [f"{own}topicfilter/{topic}" for topic in topics]),
    )


def statements(*allowed):
    found = [{"Effect": "Allow", "Action": actions, "Resource": resources} for actions, resources in allowed]
    return json.dumps({"Version": "2012-10-17", "Statement": found})


def template():
    """A device as one unit: certificate, thing, policy, groups. Names come from customer, plant and serial number.

    FAIL: a device that is there is refused, or its name would get a second certificate.
    """
    texts = ("Customer", "Plant", "SerialNumber", "CSR")
    name = {"Fn::Join": ["-", [{"Ref": "Customer"}, {"Ref": "Plant"}, {"Ref": "SerialNumber"}]]}
    group = {"Fn::Join": ["-", ["customer", {"Ref": "Customer"}, {"Ref": "Plant"}]]}
    return json.dumps(
        {
            "Parameters": {text: {"Type": "String"} for text in texts},
            "Resources": {
                "thing": {
                    "Type": "AWS::IoT::Thing",
                    "Properties": {
                        "ThingName": name,
                        "AttributePayload": {"customer": {"Ref": "Customer"}, "plant": {"Ref": "Plant"}},
                        "ThingGroups": [group],
                    },
                    "OverrideSettings": {"AttributePayload": "FAIL"},
                },
                "certificate": {
                    "Type": "AWS::IoT::Certificate",
                    "Properties": {"CertificateSigningRequest": {"Ref": "CSR"}, "Status": "ACTIVE"},
                },
                "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": DEVICE_POLICY}},
            },
        }
    )


class Customers:
    """What the operator does, with the operator's rights."""

    def __init__(self, session):
        self.iot, self.iam = session.client("iot"), session.client("iam")
        self.account = session.client("sts").get_caller_identity()["Account"]
        self.region = self.iot.meta.region_name

    def set_up(self):
        """Make the two policies and the group of users, once."""
        existing = {group["GroupName"] for group in self.iam.list_groups()["Groups"]}
        if USERS in existing:
            return
        self.iot.create_policy(policyName=DEVICE_POLICY, policyDocument=device_policy(self.region, self.account))
        policy = self.iam.create_policy(PolicyName=USER_POLICY, PolicyDocument=user_policy(self.region, self.account))[
            "Policy"
        ]["Arn"]
        self.iam.create_group(GroupName=USERS)
        self.iam.attach_group_policy(GroupName=USERS, PolicyArn=policy)

    def add_customer(self, customer):
        """Make the customer's group and user; answer the user's access key."""
        self.set_up()
        self.iot.create_thing_group(thingGroupName=group_of(customer))
        user = f"customer-{word(customer)}"
        self.iam.create_user(UserName=user, Tags=[{"Key": "customer", "Value": customer}])
        self.iam.add_user_to_group(GroupName=USERS, UserName=user)
        return self.iam.create_access_key(UserName=user)["AccessKey"]

    def add_plant(self, customer, plant):
        """Make the plant's group below the customer's."""
        self.iot.create_thing_group(thingGroupName=group_of(customer, plant), parentGroupName=group_of(customer))

    def add_device(self, customer, plant, serial, request):
        """Register a device by its signing request (PEM); answer its name and certificate (PEM)."""
        parameters = {"Customer": word(customer), "Plant": word(plant), "SerialNumber": serial, "CSR": request}
        made = self.iot.register_thing(templateBody=template(), parameters=parameters)
        return f"{customer}-{plant}-{serial}", made["certificatePem"]

    def devices(self, customer, plant=None):
        """Answer the names of the devices of a customer, or of one plant."""
        pages = self.iot.get_paginator("list_things_in_thing_group").paginate(
            thingGroupName=group_of(customer, plant), recursive=True
        )
        return [name for page in pages for name in page["things"]]


def new_key(folder):
    """Make a key in the folder (mode 600), or take the one of a try that failed; answer the request for it (PEM)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    path = folder / "device.key"
    if (folder / "device.pem").exists():
        raise Wrong(f"{folder} holds a device already; name another folder with --out")
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            form = serialization.PrivateFormat.PKCS8
            file.write(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, names in {"add-customer": 1, "add-plant": 2, "add-device": 3, "devices": 1}.items():
        one = verbs.add_parser(verb)
        for name in ("customer", "plant", "serial")[:names]:
            one.add_argument(name)
    verbs.choices["add-device"].add_argument("--out", type=Path, required=True)
    verbs.choices["devices"].add_argument("plant", nargs="?")
    given = parser.parse_args()
    customers = Customers(boto3.Session())
    try:
        if given.verb == "add-customer":
            key = customers.add_customer(given.customer)
            print(f"AWS_ACCESS_KEY_ID={key['AccessKeyId']}\nAWS_SECRET_ACCESS_KEY={key['SecretAccessKey']}")
        elif given.verb == "add-plant":
            customers.add_plant(given.customer, given.plant)
        elif given.verb == "add-device":
            request = new_key(given.out)
            name, certificate = customers.add_device(given.customer, given.plant, given.serial, request)
            (given.out / "device.pem").write_text(certificate)
            print(f"{name} is ready in {given.out}")
        else:
            print(*customers.devices(given.customer, given.plant), sep="\n")
    except (Wrong, ClientError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

"""The one place where ARNs are made and read. `arn:aws:<service>:<region>:<account>:<resource>`."""

from dataclasses import dataclass

PARTITION = "aws"
GLOBAL_SERVICES = frozenset({"iam", "s3"})  # their ARNs carry no region


@dataclass(frozen=True, slots=True)
class Arn:
    """A parsed ARN; `resource` is everything after the fifth colon."""

    service: str
    region: str
    account: str
    resource: str
    partition: str = PARTITION

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


def arn(service: str, region: str, account: str, resource: str) -> str:
    """Make an ARN. Global services get no region; S3 gets no account either."""
    if service in GLOBAL_SERVICES:
        region = ""
    if service == "s3":
        account = ""
    return f"arn:{PARTITION}:{service}:{region}:{account}:{resource}"


def parse(text: str) -> Arn | None:
    """Answer the parts, or None when the text is no ARN."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[2] or not parts[5]:
        return None
    return Arn(partition=parts[1], service=parts[2], region=parts[3], account=parts[4], resource=parts[5])

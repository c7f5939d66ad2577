"""Who besides its account may invoke a function: the statements of its resource policy."""

import fnmatch
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hedgerow.core.arn import parse

MAX_POLICY: Final = 20 * 1024  # bytes
_ACCOUNT: Final = re.compile(r"\d{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One permission, on a function ("") or one of its qualifiers."""

    sid: str
    action: str
    principal: str  # as it was given: a service, an account, an ARN, "*"
    resource: str
    source_arn: str | None = None
    source_account: str | None = None
    event_source_token: str | None = None
    organisation: str | None = None

    @property
    def document(self) -> dict[str, Any]:
        """The statement as IAM writes it."""
        answer: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Principal": self._principal(),
            "Action": self.action,
            "Resource": self.resource,
        }
        condition: dict[str, dict[str, str]] = {}
        if self.source_account is not None:
            condition.setdefault("StringEquals", {})["AWS:SourceAccount"] = self.source_account
        if self.event_source_token is not None:
            condition.setdefault("StringEquals", {})["lambda:EventSourceToken"] = self.event_source_token
        if self.organisation is not None:
            condition.setdefault("StringEquals", {})["aws:PrincipalOrgID"] = self.organisation
        if self.source_arn is not None:
            condition["ArnLike"] = {"AWS:SourceArn": self.source_arn}
        if condition:
            answer["Condition"] = condition
        return answer

    def _principal(self) -> Any:
        if self.principal == "*":
            return "*"
        if _ACCOUNT.fullmatch(self.principal):
            return {"AWS": f"arn:aws:iam::{self.principal}:root"}
        return {"AWS": self.principal} if self.principal.startswith("arn:") else {"Service": self.principal}

    def permits(self, *, service: str, source_arn: str | None, account: str) -> bool:
        """Tell whether this lets a service invoke on behalf of a resource (of the function's own account)."""
        if self.action not in ("lambda:InvokeFunction", "lambda:*", "*") or self.principal not in ("*", service):
            return False
        if self.event_source_token is not None or self.organisation is not None:
            return False  # nothing of ours presents a token or belongs to an organisation
        owner = (parse(source_arn).account if source_arn and parse(source_arn) else "") or account  # type: ignore[union-attr]  # looked at just before
        if self.source_account is not None and self.source_account != owner:
            return False
        if self.source_arn is not None:
            return source_arn is not None and _arn_like(self.source_arn, source_arn)
        return True


def _arn_like(pattern: str, value: str) -> bool:
    """Match an ARN part by part: a `*` in one part does not reach into the next."""
    patterns, values = pattern.split(":", 5), value.split(":", 5)
    return len(patterns) == len(values) and all(
        fnmatch.fnmatchcase(part, each.replace("[", "[[]")) for each, part in zip(patterns, values, strict=True)
    )


def policy(statements: Sequence[Statement]) -> Mapping[str, Any]:
    """Answer the whole policy."""
    return {"Version": "2012-10-17", "Id": "default", "Statement": [statement.document for statement in statements]}


def revision(text: str) -> str:
    """Answer the revision id of a policy: a UUID's form, made of its content."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def written(value: Mapping[str, Any]) -> str:
    """Answer the JSON text of a policy or statement."""
    return json.dumps(value, separators=(",", ":"))

"""Job documents: what may stand in them, and what a device gets of them.

`${aws:iot:s3-presigned-url:<URL of an object>}` becomes a link to the object each time that a device gets the document,
signed in the role of the job's `presignedUrlConfig`; `s3-presigned-url-v2` is the same. Where the role cannot be taken
any more the placeholder stays as it is, so that the device fails with its eyes open.
Spec: AWS IoT Jobs, "managing job documents with presigned URLs".
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from hedgerow.base.errors import NotImplementedYet
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.jobs.model import Job
from hedgerow.services.iot.jobs.settings import Presigning
from hedgerow.store import Tx

DEEPEST: Final = 100
SOURCED: Final = "$documentSource"
"""The member in which the document that `documentSource` names is handed to an operation."""
_PRESIGNED: Final = re.compile(r"\$\{aws:iot:s3-presigned-url(?:-v2)?:([^${}\"]*)\}")
_OTHERS: Final = re.compile(r"\$\{aws:iot:([^:}]*)")
_PATH_STYLE: Final = re.compile(r"s3([.-][a-z0-9-]+)?\.amazonaws\.com(\.cn)?")
_HOST_STYLE: Final = re.compile(r"([a-z0-9][a-z0-9.-]*)\.s3([.-][a-z0-9-]+)?\.amazonaws\.com(\.cn)?")


class Signer(Protocol):
    """Makes links in one role, for one document."""

    def link(self, bucket: str, key: str) -> str:
        """Answer a URL with which anybody may GET the object for a while."""
        ...


class Links(Protocol):
    """Where objects are, and who may link to them."""

    def own(self, host: str) -> bool:
        """Tell whether this is the host (and port) of our own S3."""
        ...

    def usable(self, tx: Tx, account: str, role_arn: str) -> bool:
        """Tell whether jobs may act in the role."""
        ...

    def maybe_signer(self, tx: Tx, account: str, role_arn: str, *, expires_s: int) -> Signer | None:
        """Take the role; None when that is not possible any more."""
        ...


def content_of(document: str) -> Mapping[str, Any]:
    """Answer what a job document says. Raises InvalidRequest for what could not be told to every device."""
    try:
        content = json.loads(document)
        deep = _deeper(content, DEEPEST)
        json.dumps(content, allow_nan=False, ensure_ascii=False).encode("utf-8")  # a lone surrogate is no text
    except RecursionError:  # how deep Python itself reads is another thing with every version
        deep = True
    except ValueError as error:
        raise InvalidRequest("The job document is not JSON.") from error
    if deep:
        raise InvalidRequest(f"The job document is nested deeper than {DEEPEST} levels.")
    if not isinstance(content, dict):
        raise InvalidRequest("The job document is not a JSON object.")
    return content


def _deeper(value: Any, most: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    return most == 0 or any(_deeper(one, most - 1) for one in (value.values() if isinstance(value, dict) else value))


def given_document(request: Request) -> str:
    """Answer the document that a request gives, itself or by its `documentSource`. Raises InvalidRequest."""
    document, sourced = request.get("document"), request.get(SOURCED)
    if document and "documentSource" in request:
        raise InvalidRequest("Job document and job document source cannot be specified at the same time.")
    if not document and sourced is None:
        raise InvalidRequest("A job needs a document.")
    return str(document or sourced)


class Documents:
    """All job documents. It holds no state; one serves every transaction."""

    def __init__(self, *, links: Links) -> None:
        self._links = links

    def check(self, tx: Tx, account: str, document: str, presigning: Presigning | None) -> None:
        """Raise InvalidRequest (or NotImplementedYet) unless devices can get this document."""
        if presigning is not None and not self._links.usable(tx, account, presigning.role_arn):
            raise InvalidRequest(f"The role {presigning.role_arn} does not exist, or does not trust iot.amazonaws.com.")
        content_of(document)
        urls = _PRESIGNED.findall(document)
        if urls and presigning is None:
            raise InvalidRequest("A document with presigned URL placeholders needs presignedUrlConfig with a roleArn.")
        for url in urls:
            self.object_of(url)
        other = _OTHERS.search(_PRESIGNED.sub("", document))
        if other is not None:
            raise NotImplementedYet(f"${{aws:iot:{other[1]}:…}} in a job document is not implemented: write the value")

    def object_of(self, url: str) -> tuple[str, str]:
        """Answer bucket and key of an object's URL, in AWS's forms or at our own S3. Raises InvalidRequest."""
        parts = urlsplit(url)
        path = unquote(parts.path).removeprefix("/")
        bucket, _, key = path.partition("/")
        hosted = _HOST_STYLE.fullmatch(parts.netloc)
        if hosted is not None and _PATH_STYLE.fullmatch(parts.netloc) is None:
            bucket, key = hosted[1], path
        elif _PATH_STYLE.fullmatch(parts.netloc) is None and not self._links.own(parts.netloc):
            bucket = ""
        if parts.scheme not in ("http", "https") or not bucket or not key or parts.query or parts.fragment:
            raise InvalidRequest(f"{url} is no URL of an S3 object, as https://s3.amazonaws.com/<bucket>/<key>.")
        return bucket, key

    def handed_out(self, tx: Tx, account: str, job: Job) -> str:
        """Answer the document as a device gets it, with fresh links."""
        presigning = job.settings.presigning
        if presigning is None or _PRESIGNED.search(job.document) is None:
            return job.document
        expires_s = presigning.expires_s
        signer = self._links.maybe_signer(tx, account, presigning.role_arn, expires_s=expires_s)
        if signer is None:
            return job.document
        return _PRESIGNED.sub(lambda found: signer.link(*self.object_of(found[1])), job.document)

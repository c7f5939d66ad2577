import asyncio
import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.base.errors import ServiceError, Unavailable
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.provisioning import OperatorRegistration
from hedgerow.services.iot.registration_tasks import (
    FORGOTTEN,
    STEP,
    RegistrationTaskFlows,
    RegistrationTaskFollowUps,
    RegistrationTaskOperations,
    RegistrationTaskStore,
)
from hedgerow.services.iot.registration_tasks.errors import (
    NoTask,
    NotToBeRead,
    RoleUnusable,
    TaskNotFound,
    TaskRunning,
)
from hedgerow.services.iot.registration_tasks.follow_ups import LINES_OF_A_STEP
from hedgerow.services.iot.registration_tasks.model import KEPT_S, LINES_OF_A_FILE, LONGEST_LINE, Line, lines_of
from hedgerow.store import FollowUp, Tx
from hedgerow.store.follow_ups import heads, remove
from tests.support.registry import Registry, contents
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryRun
from tests.unit.services.iot.provisioning.bench import FakeAuthority

CSR = "-----BEGIN CERTIFICATE REQUEST-----"
ROLE = "arn:aws:iam::123456789012:role/bulk"
BODY = json.dumps(
    {
        "Parameters": {"ThingName": {"Type": "String"}, "CSR": {"Type": "String"}},
        "Resources": {
            "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "ThingName"}}},
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": {"CertificateSigningRequest": {"Ref": "CSR"}},
            },
        },
    }
)


@dataclass
class Found:
    digest: str
    size: int


class FakeFiles:
    """The objects of accounts, in memory."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.objects: dict[tuple[str, str, str], str] = {}

    def put(self, account: str, bucket: str, key: str, data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        self.objects[account, bucket, key] = digest

    async def find(self, account: str, bucket: str, key: str) -> Found | None:
        digest = self.objects.get((account, bucket, key))
        return None if digest is None else Found(digest, len(self.blobs[digest]))

    async def read(self, account: str, digest: str, begin: int, end: int) -> bytes | None:
        data = self.blobs.get(digest)
        return None if data is None else data[begin:end]

    async def keep(self, account: str, key: str, data: bytes) -> str:
        self.put(account, "own", key, data)
        return "own"

    async def forget(self, account: str, bucket: str, key: str) -> None:
        self.objects.pop((account, bucket, key), None)

    async def link(self, account: str, bucket: str, key: str, *, expires_s: int) -> str:
        return f"https://{bucket}/{key}"


class FakeRights:
    """Roles that may do everything that is not in `denied`."""

    def __init__(self) -> None:
        self.denied: set[str] = set()

    def role_may(self, tx: Tx, account: str, role_arn: str, source: str) -> Callable[[str, str], bool]:
        return lambda action, resource: action not in self.denied

    def assumable(self, tx: Tx, account: str, role_arn: str, service: str, source: str) -> bool:
        return True

    def role_allows(self, tx: Tx, account: str, role_arn: str, action: str, resource: str, source: str) -> bool:
        return self.role_may(tx, account, role_arn, source)(action, resource)


class DyingRun(MemoryRun):
    """Dies at the n-th write: before it, or when it is done."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry.store)
        self.left = 1_000_000
        self.after = False

    async def write(self, operation: Any, *, lane: str = "") -> Any:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Unavailable("the process was killed")
        answer = await super().write(operation, lane=lane)
        if self.left == 0:
            raise Unavailable("the process was killed")
        return answer


class Bench:
    def __init__(self, registry: Registry) -> None:
        self.registry, self.store = registry, registry.store
        self.run, self.files, self.rights = DyingRun(registry), FakeFiles(), FakeRights()
        self.tasks = RegistrationTaskStore()
        self.operations = RegistrationTaskOperations(tasks=self.tasks, pages=registry.pages)
        self.flows = RegistrationTaskFlows(
            run=self.run,
            ids=registry.ids,
            tasks=self.tasks,
            files=self.files,
            rights=self.rights,
            pages=registry.pages,
        )
        registering = OperatorRegistration(
            run=self.run,
            authority=FakeAuthority(),
            entries=registry.certificates,
            register_certificate=registry.certificates.register_certificate,
            certificates=registry.certificate_store,
            registration=registry.registration(rights=self.rights),
            callers=self,
            attempts=registry.attempts,
        )
        self.follow_ups = RegistrationTaskFollowUps(
            run=self.run, tasks=self.tasks, files=self.files, registrar=registering, attempts=registry.attempts
        )

    async def may(self, caller: Caller) -> Any:
        """Nobody asks here."""

    def start(self, data: bytes, caller: Caller = CALLER, **more: str) -> str:
        self.files.put(caller.account, "bucket", "devices.json", data)
        request = {
            "templateBody": BODY,
            "inputFileBucket": "bucket",
            "inputFileKey": "devices.json",
            "roleArn": ROLE,
            **more,
        }
        recorded = Request(request)
        answer = asyncio.run(self.flows.start_thing_registration_task(recorded, caller))
        assert recorded.unread() == []
        return str(answer["taskId"])

    def due(self, kind: str) -> list[FollowUp]:
        with self.store.tx() as tx:
            return [head.row for head in heads(tx, kind, now=self.store.clock.now(), limit=100)]

    def steps(self, most: int = 1000) -> int:
        """Take steps as the dispatcher does, until nothing is due; answer how many it took."""
        for count in range(most):
            rows = self.due(STEP)
            if not rows:
                return count
            try:
                asyncio.run(self.follow_ups.on_step(rows[0]))
            except Unavailable:
                self.run.left = 1_000_000
                continue
            self._done(rows[0])
        return most

    def _done(self, row: FollowUp) -> None:
        with self.store.tx() as tx:
            remove(tx, row.seq)

    def describe(self, task_id: str, caller: Caller = CALLER) -> Mapping[str, Any]:
        request = {"taskId": task_id}
        return self.store.run(self.operations.describe_thing_registration_task, request, caller).response

    def links(self, task_id: str, kind: str, caller: Caller = CALLER, **page: Any) -> Mapping[str, Any]:
        request = Request({"taskId": task_id, "reportType": kind, **page})
        return asyncio.run(self.flows.list_thing_registration_task_reports(request, caller))

    def report(self, task_id: str, kind: str) -> list[dict[str, Any]]:
        """Answer every line of the reports of a kind."""
        links = self.links(task_id, kind, maxResults=250)["resourceLinks"]
        keys = [link.removeprefix("https://own/") for link in links]
        texts = [self.files.blobs[self.files.objects[CALLER.account, "own", key]] for key in keys]
        return [json.loads(line) for text in texts for line in text.splitlines()]

    def things(self) -> list[str]:
        listed = self.store.run(self.registry.things.list_things, {"maxResults": 250}).response["things"]
        return [each["thingName"] for each in listed]

    def certificates(self) -> int:
        return sum(row.startswith("iot_certificate:") for row in contents(self.registry))


def line(name: str, csr: str = CSR) -> bytes:
    return json.dumps({"ThingName": name, "CSR": csr}).encode() + b"\n"


@pytest.fixture
def bench(registry: Registry) -> Bench:
    return Bench(registry)


@pytest.mark.spec("AL-27")
def test_every_line_becomes_a_device_or_an_error(bench: Bench) -> None:
    data = line("a") + b"\r\n" + line("b", "nonsense") + b"{\n" + b'{"ThingName": 7}\n[]\n' + line("c").rstrip()

    task = bench.start(data)
    before = bench.describe(task)
    bench.steps()

    assert (before["status"], before["percentageProgress"]) == ("InProgress", 0)
    after = bench.describe(task)
    assert (after["status"], after["successCount"], after["failureCount"]) == ("Completed", 2, 4)
    assert after["percentageProgress"] == 100
    assert bench.things() == ["a", "c"]
    results = bench.report(task, "RESULTS")
    assert [each["lineNumber"] for each in results] == [1, 7]
    assert set(results[0]["response"]) == {"ResourceArns", "certificatePem"}
    assert results[0]["response"]["ResourceArns"]["thing"].endswith(":thing/a")
    errors = bench.report(task, "ERRORS")
    assert [(each["lineNumber"], each["errorCode"]) for each in errors] == [
        (3, "InvalidRequestException"),
        (4, "InvalidRequestException"),
        (5, "InvalidRequestException"),
        (6, "InvalidRequestException"),
    ]
    assert errors[1]["offset"] == data.index(b"{\n")


@pytest.mark.spec("AL-27", "AL-41")
def test_the_record_says_which_device_was_refused_and_from_where_the_task_was_started(bench: Bench) -> None:
    task = bench.start(line("a") + line("b", "nonsense") + b"{\n", dataclasses.replace(CALLER, source_ip="192.0.2.7"))

    bench.steps()

    assert [(each["outcome"], each["device"], each["address"]) for each in bench.registry.record()] == [
        ("REFUSED", f"line 3 of {task}", "192.0.2.7"),
        ("REFUSED", "b", "192.0.2.7"),
        ("ACCEPTED", "a", "192.0.2.7"),
    ]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 10))
def test_a_kill_at_any_write_loses_and_doubles_nothing(bench: Bench, at: int, *, after: bool) -> None:
    task = bench.start(line("a") + line("b", "nonsense") + line("c"))
    bench.run.left, bench.run.after = at, after

    bench.steps()

    assert bench.describe(task)["status"] == "Completed"
    assert bench.things() == ["a", "c"]
    assert bench.certificates() == 2
    assert [each["lineNumber"] for each in bench.report(task, "RESULTS")] == [1, 3]
    assert [each["lineNumber"] for each in bench.report(task, "ERRORS")] == [2]
    assert bench.due(STEP) == []


def test_a_long_file_is_done_in_small_steps_with_several_reports(bench: Bench) -> None:
    count = LINES_OF_A_FILE + LINES_OF_A_STEP
    task = bench.start(b"".join(b"no JSON %d\n" % number for number in range(count)))

    steps = bench.steps()

    assert steps >= count // LINES_OF_A_STEP
    assert bench.describe(task)["failureCount"] == count
    first = bench.links(task, "ERRORS", maxResults=1)
    second = bench.links(task, "ERRORS", maxResults=1, nextToken=first["nextToken"])
    assert len({*first["resourceLinks"], *second["resourceLinks"]}) == 2
    assert "nextToken" not in second
    assert [each["lineNumber"] for each in bench.report(task, "ERRORS")] == list(range(1, count + 1))
    assert bench.links(task, "RESULTS") == {"resourceLinks": [], "reportType": "RESULTS"}


@pytest.mark.parametrize("length", [LONGEST_LINE + 1, 3 * LONGEST_LINE])
def test_a_line_that_is_too_long_is_one_error(bench: Bench, length: int) -> None:
    task = bench.start(line("a") + b"x" * length + b"\n" + line("b") + b"y" * length)

    bench.steps()

    assert bench.things() == ["a", "b"]
    errors = bench.report(task, "ERRORS")
    assert [each["lineNumber"] for each in errors] == [2, 4]
    assert all("longer than" in each["errorMessage"] for each in errors)


def test_a_task_that_is_stopped_ends_with_the_reports_of_what_was_done(bench: Bench) -> None:
    task = bench.start(b"".join(line(f"thing-{number}") for number in range(2 * LINES_OF_A_STEP)))
    bench.steps(1)

    bench.store.run(bench.operations.stop_thing_registration_task, {"taskId": task})
    stopping = bench.describe(task)["status"]
    bench.steps()

    assert stopping == "Cancelling"
    assert bench.describe(task)["status"] == "Cancelled"
    assert len(bench.report(task, "RESULTS")) == LINES_OF_A_STEP
    with pytest.raises(InvalidRequest, match="Cancelled already"):
        bench.store.run(bench.operations.stop_thing_registration_task, {"taskId": task})


def test_the_file_of_the_start_counts_and_a_task_without_it_fails(bench: Bench) -> None:
    task = bench.start(line("a"))
    bench.files.put(CALLER.account, "bucket", "devices.json", line("b"))
    bench.steps()
    again = bench.start(line("c"))
    bench.files.blobs.clear()
    bench.steps()

    assert bench.things() == ["a"]
    assert bench.describe(task)["status"] == "Completed"
    failed = bench.describe(again)
    assert (failed["status"], failed["message"]) == ("Failed", "the input file s3://bucket/devices.json is gone")


def test_the_bytes_of_a_running_task_are_not_swept(bench: Bench) -> None:
    task = bench.start(line("a"))
    with bench.store.tx() as tx:
        during = bench.tasks.digests(tx, CALLER.account)
    bench.steps()

    with bench.store.tx() as tx:
        found = bench.tasks.get(tx, CALLER.account, task)
        assert found is not None
        assert (during, bench.tasks.digests(tx, CALLER.account)) == ({found.digest}, set())


def test_an_account_runs_one_task_at_a_time(bench: Bench) -> None:
    task = bench.start(line("a"))

    with pytest.raises(TaskRunning, match=task):
        bench.start(line("b"))
    bench.steps()
    bench.start(line("b"))


def test_the_role_is_asked_for_each_step_of_a_device(bench: Bench) -> None:
    task = bench.start(line("a"))
    bench.rights.denied = {"iot:CreateThing"}

    bench.steps()

    (error,) = bench.report(task, "ERRORS")
    assert error["errorCode"] == "AccessDeniedException"
    assert bench.certificates() == 0


BAD_STARTS: list[tuple[dict[str, str], set[str], type[ServiceError], str]] = [
    ({"templateBody": '{"Resources": {}}'}, set(), InvalidRequest, "must have certificate resource"),
    ({"inputFileKey": "none"}, set(), NotToBeRead, "There is no object none"),
    ({}, {"s3:GetObject"}, NotToBeRead, r"may not s3:GetObject on arn:aws:s3:::bucket/devices\.json"),
    ({"roleArn": "arn:aws:iam::210987654321:role/bulk"}, set(), RoleUnusable, "is not of account"),
]


@pytest.mark.parametrize(("more", "denied", "error", "why"), BAD_STARTS)
def test_a_task_that_could_do_nothing_is_refused(
    bench: Bench, more: dict[str, Any], denied: set[str], error: type[ServiceError], why: str
) -> None:
    bench.rights.denied = denied

    with pytest.raises(error, match=why):
        bench.start(line("a"), **more)

    assert bench.due(STEP) == []


def test_tasks_are_listed_newest_first_by_status_and_page(bench: Bench) -> None:
    made = []
    for name in "abc":
        made.append(bench.start(line(name)))
        if name != "c":
            bench.steps()
        bench.store.clock.advance(1)

    def listed(**request: Any) -> Mapping[str, Any]:
        return bench.store.run(bench.operations.list_thing_registration_tasks, request).response

    assert listed()["taskIds"] == made[::-1]
    assert listed(status="Completed")["taskIds"] == made[1::-1]
    first = listed(maxResults=2)
    assert first["taskIds"] == made[:0:-1]
    assert listed(maxResults=2, nextToken=first["nextToken"])["taskIds"] == made[:1]


def test_two_accounts_do_not_see_each_others_tasks(bench: Bench) -> None:
    task = bench.start(line("a"))

    with pytest.raises(TaskNotFound):
        bench.describe(task, OTHER_ACCOUNT)
    with pytest.raises(TaskNotFound):
        bench.store.run(bench.operations.stop_thing_registration_task, {"taskId": task}, OTHER_ACCOUNT)
    with pytest.raises(NoTask):
        bench.links(task, "ERRORS", OTHER_ACCOUNT)
    other = bench.store.run(bench.operations.list_thing_registration_tasks, {}, OTHER_ACCOUNT)
    assert other.response == {"taskIds": []}


def test_reports_are_there_when_the_task_has_ended_and_go_after_thirty_days(bench: Bench) -> None:
    task = bench.start(line("a"))
    bench.steps(1)
    during = bench.links(task, "RESULTS")["resourceLinks"]
    bench.steps()

    assert during == []
    assert len(bench.links(task, "RESULTS")["resourceLinks"]) == 1
    assert bench.due(FORGOTTEN) == []
    bench.store.clock.advance(KEPT_S)
    (row,) = bench.due(FORGOTTEN)
    asyncio.run(bench.follow_ups.on_forgotten(row))
    with pytest.raises(TaskNotFound):
        bench.describe(task)
    assert [key for _, bucket, key in bench.files.objects if bucket == "own"] == []
    assert [row for row in contents(bench.registry) if row.startswith("iot_registration_")] == []


@given(
    texts=st.lists(st.binary(max_size=6).map(lambda text: text.replace(b"\n", b"")), max_size=6), cut=st.integers(1, 50)
)
def test_a_file_has_the_same_lines_however_it_is_cut(texts: list[bytes], cut: int) -> None:
    data = b"\n".join(texts)
    wanted = data.removesuffix(b"\n").split(b"\n") if data else []

    found: list[Line] = []
    at = 0
    while at < len(data):
        size = cut
        lines = lines_of(data[at : at + size], begin=at, number=len(found), last=at + size >= len(data))
        while not lines:
            size += cut
            lines = lines_of(data[at : at + size], begin=at, number=len(found), last=at + size >= len(data))
        found += lines
        at = lines[-1].end

    assert [each.content for each in found] == [text.rstrip(b"\r") for text in wanted]
    assert [each.number for each in found] == list(range(1, len(found) + 1))
    assert all(one.end == two.begin for one, two in pairwise(found))

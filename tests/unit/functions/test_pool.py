"""Instances as the pool keeps them: scaling, faults, ends. The instances are scripts, the connections real."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from hedgerow.base.clock import SystemClock
from hedgerow.functions import (
    FunctionSpec,
    FunctionState,
    Grant,
    LogLine,
    Outcome,
    Pool,
    RuntimeNotHere,
    State,
    Stopped,
    TooBusy,
)
from hedgerow.functions import (
    pool as pool_module,
)
from tests.support.clock import FakeIds
from tests.support.functions import PREFIX, FakeDriver, FakeRuntimes, Runtime, Script, echo, spec


class Host:
    """A pool with everything that a test looks at."""

    def __init__(self, *scripts: Script, **options: Any) -> None:
        self.driver = FakeDriver(list(scripts) or [echo], ignores_term=options.pop("ignores_term", False))
        self.lines: list[LogLine] = []
        self.states: list[FunctionState] = []
        options.setdefault("grace_s", 0.2)
        self.pool = Pool(
            driver=self.driver,
            runtimes=FakeRuntimes(),
            clock=SystemClock(),
            ids=FakeIds(),
            on_log=lambda _, line: self.lines.append(line),
            on_state=self.states.append,
            **options,
        )

    async def __aenter__(self) -> "Host":
        await self.pool.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.pool.__aexit__()

    @property
    def messages(self) -> list[str]:
        return [line.message for line in self.lines]


async def hang(runtime: Runtime) -> int:
    await runtime.next()
    await asyncio.Event().wait()
    return 0


async def exit_in_the_middle(runtime: Runtime) -> int:
    await runtime.next()
    return 7


async def fail_to_start(runtime: Runtime) -> int:
    body = b'{"errorType":"Runtime.ImportModuleError","errorMessage":"no module"}'
    await runtime.call("POST", f"{PREFIX}/init/error", body)
    return 1


async def exit_at_once(runtime: Runtime) -> int:
    runtime.write("what went wrong\n")
    return 3


def body(outcome: Outcome) -> Any:
    return json.loads(outcome.payload)


async def test_an_event_is_answered_and_logged(tmp_path: Path) -> None:
    async with Host() as host:
        outcome = await host.pool.invoke(spec(tmp_path), b'{"a":1}', request_id="r1")

    assert (outcome.payload, outcome.error, outcome.request_id) == (b'{"a":1}', None, "r1")
    assert host.messages[0] == "START RequestId: r1 Version: 1"
    assert host.messages[1] == "END RequestId: r1"
    assert host.messages[2].startswith("REPORT RequestId: r1\tInit Duration: ")
    assert outcome.log_tail.decode() == "".join(f"{line}\n" for line in host.messages)


async def test_what_is_printed_stands_between_start_and_end(tmp_path: Path) -> None:
    async def talk(runtime: Runtime) -> int:
        got = await runtime.next()
        runtime.write("one\ntwo\n")
        await runtime.respond(got, b"null")
        await runtime.next()
        return 0

    async with Host(talk) as host:
        await host.pool.invoke(spec(tmp_path), b"{}", request_id="r1")

    assert host.messages[:4] == ["START RequestId: r1 Version: 1", "one", "two", "END RequestId: r1"]


async def test_one_instance_serves_events_one_after_the_other(tmp_path: Path) -> None:
    async with Host() as host:
        for number in range(20):
            outcome = await host.pool.invoke(spec(tmp_path), b"%d" % number)
            assert outcome.payload == b"%d" % number

    assert len(host.driver.started) == 1


async def test_events_at_the_same_time_get_instances_of_their_own_up_to_the_bound(tmp_path: Path) -> None:
    async with Host() as host:
        wanted = spec(tmp_path, max_instances=3)
        outcomes = await asyncio.gather(*(host.pool.invoke(wanted, b"%d" % n) for n in range(12)))

    assert [outcome.payload for outcome in outcomes] == [b"%d" % n for n in range(12)]
    assert 1 <= len(host.driver.started) <= 3


async def test_an_event_that_finds_the_queue_full_is_refused(tmp_path: Path) -> None:
    async with Host(hang, queue_limit=1) as host, asyncio.TaskGroup() as group:
        wanted = spec(tmp_path, max_instances=1, timeout_s=60.0)
        tasks = [group.create_task(refused(host.pool, wanted)) for _ in range(3)]
        await until(lambda: sum(task.done() for task in tasks) == 2)
        await host.pool.aclose()

    results = [type(task.result()) for task in tasks]
    assert results.count(TooBusy) == 2
    assert host.pool.statistics() == {}


async def refused(pool: Pool, wanted: FunctionSpec) -> object:
    try:
        return await pool.invoke(wanted, b"{}")
    except (TooBusy, Stopped) as error:
        return error


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_an_event_that_gets_no_instance_in_time_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_ready(_: Runtime) -> int:
        await asyncio.Event().wait()
        return 0

    monkeypatch.setattr(pool_module, "MIN_INIT_S", 0.0)
    async with Host(never_ready, queue_wait_s=0.02) as host:
        wanted = spec(tmp_path, timeout_s=0.02)
        with pytest.raises(TooBusy, match="no instance became free"):
            await host.pool.invoke(wanted, b"{}")

        assert host.pool.statistics()[wanted.arn]["waiting"] == 0


@pytest.mark.spec("JB-82b", "JB-82f")
async def test_a_function_that_hangs_is_killed_at_its_timeout(tmp_path: Path) -> None:
    async with Host(hang, echo) as host:
        outcome = await host.pool.invoke(spec(tmp_path, timeout_s=0.05), b"{}", request_id="r1")
        again = await host.pool.invoke(spec(tmp_path, timeout_s=0.05), b'"next"')

    text = "RequestId: r1 Error: Task timed out after 0.05 seconds"
    assert (outcome.error, body(outcome)) == ("Unhandled", {"errorType": "Sandbox.Timedout", "errorMessage": text})
    assert text in host.messages
    assert -9 in [process.exited.result() for process in host.driver.started]
    assert again.payload == b'"next"'


async def test_a_process_that_ends_in_the_middle_answers_an_exit_error(tmp_path: Path) -> None:
    async with Host(exit_in_the_middle, echo) as host:
        outcome = await host.pool.invoke(spec(tmp_path), b"{}", request_id="r1")
        again = await host.pool.invoke(spec(tmp_path), b"1")

    text = "RequestId: r1 Error: Runtime exited with error: exit status 7"
    assert body(outcome) == {"errorType": "Runtime.ExitError", "errorMessage": text}
    assert again.payload == b"1"


async def test_an_error_of_the_function_is_answered_and_the_instance_lives_on(tmp_path: Path) -> None:
    async def fail_once(runtime: Runtime) -> int:
        await runtime.fail(await runtime.next(), "ValueError", "boom")
        return await echo(runtime)

    async with Host(fail_once) as host:
        outcome = await host.pool.invoke(spec(tmp_path), b"{}")
        again = await host.pool.invoke(spec(tmp_path), b"2")

    assert (outcome.error, outcome.error_type) == ("Unhandled", "ValueError")
    assert body(outcome)["errorMessage"] == "boom"
    assert again.payload == b"2"
    assert len(host.driver.started) == 1


async def test_a_failed_start_is_the_answer_to_what_waited(tmp_path: Path) -> None:
    async with Host(fail_to_start) as host:
        outcome = await host.pool.invoke(spec(tmp_path), b"{}")

    assert (outcome.error, outcome.error_type) == ("Unhandled", "Runtime.ImportModuleError")


async def test_a_process_that_ends_before_it_is_ready_says_so_with_its_log(tmp_path: Path) -> None:
    async with Host(exit_at_once) as host:
        outcome = await host.pool.invoke(spec(tmp_path), b"{}")

    assert outcome.error_type == "Runtime.ExitError"
    assert body(outcome)["errorMessage"] == "Error: Runtime exited with error: exit status 3"
    assert outcome.log_tail == b"what went wrong\n"


async def test_a_result_that_is_too_long_is_an_error(tmp_path: Path) -> None:
    statuses = []

    async def too_long(runtime: Runtime) -> int:
        got = await runtime.next()
        statuses.append((await runtime.respond(got, b"x" * (6 * 1024 * 1024 + 101))).status)
        return 1

    async with Host(too_long) as host:
        outcome = await host.pool.invoke(spec(tmp_path), b"{}")
        await until(lambda: statuses)

    assert outcome.error_type == "Function.ResponseSizeTooLarge"
    assert statuses == [413]


async def test_a_cause_of_a_megabyte_in_a_header_is_read(tmp_path: Path) -> None:
    async def wordy(runtime: Runtime) -> int:
        got = await runtime.next()
        request_id = got.headers["lambda-runtime-aws-request-id"]
        cause = {"Lambda-Runtime-Function-XRay-Error-Cause": "x" * 1_000_000}
        reply = await runtime.call("POST", f"{PREFIX}/invocation/{request_id}/error", b'{"errorType":"E"}', cause)
        assert reply.status == 202
        await runtime.next()
        return 0

    async with Host(wordy) as host:
        outcome = await host.pool.invoke(spec(tmp_path), b"{}")

    assert outcome.error_type == "E"


async def test_a_streamed_response_is_collected(tmp_path: Path) -> None:
    async def stream(runtime: Runtime) -> int:
        got = await runtime.next()
        request_id = got.headers["lambda-runtime-aws-request-id"]
        head = (
            f"POST {PREFIX}/invocation/{request_id}/response HTTP/1.1\r\nHost: r\r\nTransfer-Encoding: chunked\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\nContent-Type: application/octet-stream\r\n\r\n"
        )
        await runtime.raw(head.encode() + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        await runtime.next()
        return 0

    async with Host(stream) as host:
        outcome = await host.pool.invoke(spec(tmp_path), b"{}")

    assert (outcome.payload, outcome.content_type) == (b"abcde", "application/octet-stream")


async def test_a_connection_that_breaks_off_in_a_response_is_an_error(tmp_path: Path) -> None:
    async def break_off(runtime: Runtime) -> int:
        got = await runtime.next()
        request_id = got.headers["lambda-runtime-aws-request-id"]
        host, _, port = runtime.environment["AWS_LAMBDA_RUNTIME_API"].partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        path = f"{PREFIX}/invocation/{request_id}/response"
        writer.write(f"POST {path} HTTP/1.1\r\nHost: r\r\nContent-Length: 10\r\n\r\nabc".encode())
        await writer.drain()
        writer.close()
        await runtime.next()
        return 0

    async with Host(break_off) as host:
        outcome = await host.pool.invoke(spec(tmp_path), b"{}")

    assert outcome.error_type == "Runtime.TruncatedResponse"


async def test_garbage_on_the_port_disturbs_nobody(tmp_path: Path) -> None:
    async def noisy(runtime: Runtime) -> int:
        reply = await runtime.raw(b"HELLO?\r\n\r\n")
        assert reply.status == 400
        return await echo(runtime)

    async with Host(noisy) as host:
        outcome = await host.pool.invoke(spec(tmp_path), b"5")

    assert outcome.payload == b"5"


@pytest.mark.spec("JB-82d")
async def test_an_instance_gets_context_and_binary_events_as_headers_say(tmp_path: Path) -> None:
    seen = []

    async def look(runtime: Runtime) -> int:
        got = await runtime.next()
        seen.append(got)
        await runtime.respond(got, b"\x00\xff", {"Content-Type": "application/unknown"})
        await runtime.next()
        return 0

    async with Host(look) as host:
        wanted = spec(tmp_path, input_type="binary")
        context = '{"custom":{"subject":"büro/1"}}'.encode()
        outcome = await host.pool.invoke(wanted, b"\x01\x02", client_context=context, invoked_arn="arn:alias")

    headers = seen[0].headers
    assert seen[0].body == b"\x01\x02"
    assert headers["content-type"] == "application/octet-stream"
    assert json.loads(headers["lambda-runtime-client-context"]) == {"custom": {"subject": "büro/1"}}
    assert headers["lambda-runtime-invoked-function-arn"] == "arn:alias"
    assert outcome.payload == b"\x00\xff"


@pytest.mark.spec("JB-82e")
async def test_another_spec_of_the_same_arn_replaces_the_instances(tmp_path: Path) -> None:
    async with Host() as host:
        await host.pool.invoke(spec(tmp_path), b"1")
        await host.pool.invoke(spec(tmp_path, environment={"A": "2"}), b"1")
        await until(lambda: host.driver.started[0].exited.done())

        assert not host.driver.started[1].exited.done()
    assert host.driver.environments[1]["A"] == "2"


@pytest.mark.spec("JB-82c", "BS-02")
async def test_an_idle_instance_is_ended(tmp_path: Path) -> None:
    async with Host() as host:
        await host.pool.invoke(spec(tmp_path, max_idle_s=0.02), b"1")
        await until(lambda: host.driver.started[0].exited.done())


async def test_an_instance_whose_grant_ends_takes_no_more_work(tmp_path: Path) -> None:
    grants = iter([SystemClock().now() + 8.0, None])  # 5 s of timeout and 5 s of margin do not fit

    async def grant(_: FunctionSpec) -> Grant:
        return Grant(environment={"AWS_ACCESS_KEY_ID": "AKID"}, expires_at=next(grants))

    async with Host(grant=grant) as host:
        outcome = await host.pool.invoke(spec(tmp_path), b"1")

    assert outcome.payload == b"1"
    assert len(host.driver.started) == 2
    assert host.driver.environments[0]["AWS_ACCESS_KEY_ID"] == "AKID"


async def test_a_runtime_that_the_host_has_not_is_refused_by_name(tmp_path: Path) -> None:
    async with Host() as host:
        with pytest.raises(RuntimeNotHere, match=r"cannot run ruby3\.3; it has python3\.11"):
            await host.pool.invoke(spec(tmp_path, runtime="ruby3.3"), b"1")


async def test_closing_ends_instances_that_ignore_sigterm_and_refuses_what_comes(tmp_path: Path) -> None:
    async with Host(ignores_term=True, grace_s=0.02) as host:
        await host.pool.invoke(spec(tmp_path), b"1")
        await host.pool.aclose()

        assert host.driver.started[0].exited.result() == -9
        with pytest.raises(Stopped):
            await host.pool.invoke(spec(tmp_path), b"1")


async def test_the_folder_of_an_instance_goes_with_it(tmp_path: Path) -> None:
    async with Host() as host:
        await host.pool.invoke(spec(tmp_path), b"1")
        scratch = Path(host.driver.environments[0]["TMPDIR"])

        assert scratch.is_dir()
    assert not scratch.exists()


@pytest.mark.spec("JB-82c", "BS-02")
async def test_a_kept_function_runs_until_it_is_stopped(tmp_path: Path) -> None:
    async with Host() as host:
        kept = await host.pool.keep(spec(tmp_path, pinned=True))
        await until(lambda: kept.state.state is State.RUNNING)
        outcome = await kept.invoke(b"9")
        same = await host.pool.keep(spec(tmp_path, pinned=True))
        await host.pool.stop(kept.spec)
        await until(lambda: kept.state.state is State.STOPPED)

    assert outcome.payload == b"9"
    assert same.state is kept.state
    assert [state.state for state in host.states] == [State.STARTING, State.RUNNING, State.STOPPED]
    assert len(host.driver.started) == 1


@pytest.mark.spec("JB-82c")
async def test_a_kept_function_that_dies_is_started_again_after_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "FIRST_PAUSE_S", 0.01)
    async with Host(exit_at_once, fail_to_start, echo) as host:
        kept = await host.pool.keep(spec(tmp_path, pinned=True))
        await until(lambda: kept.state.state is State.RUNNING)

    causes = [state.cause for state in host.states if state.state is State.ERRORED]
    assert causes[0] == "Runtime exited with error: exit status 3"
    assert "no module" in causes[1]
    assert kept.state.restarts == 2


async def test_a_kept_function_that_never_asks_for_work_counts_as_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def loop_for_ever(_: Runtime) -> int:
        await asyncio.Event().wait()
        return 0

    monkeypatch.setattr(pool_module, "SETTLE_S", 0.02)
    async with Host(loop_for_ever) as host:
        kept = await host.pool.keep(spec(tmp_path, pinned=True))
        await until(lambda: kept.state.state is State.RUNNING)


@pytest.mark.spec("JB-82g")
async def test_keeping_another_spec_of_the_same_arn_stops_the_old_one_first(tmp_path: Path) -> None:
    async with Host() as host:
        old = await host.pool.keep(spec(tmp_path, pinned=True))
        await until(lambda: old.state.state is State.RUNNING)
        new = await host.pool.keep(spec(tmp_path, pinned=True, environment={"B": "1"}))

        assert host.driver.started[0].exited.done()
        await until(lambda: new.state.state is State.RUNNING)
    assert host.driver.environments[1]["B"] == "1"


async def test_a_long_lived_function_that_is_not_kept_is_not_invoked(tmp_path: Path) -> None:
    async with Host() as host:
        with pytest.raises(Stopped):
            await host.pool.invoke(spec(tmp_path, pinned=True), b"1")


async def test_an_event_that_nobody_waits_for_any_more_is_not_run(tmp_path: Path) -> None:
    async with Host(hang) as host, asyncio.TaskGroup() as group:
        wanted = spec(tmp_path, max_instances=1, timeout_s=60.0)

        def count(name: str) -> int:
            return host.pool.statistics().get(wanted.arn, {}).get(name, 0)

        running = group.create_task(refused(host.pool, wanted))
        await until(lambda: count("busy") == 1)
        waiting = group.create_task(refused(host.pool, wanted))
        await until(lambda: count("waiting") == 1)
        waiting.cancel()
        await until(lambda: count("waiting") == 0)
        await host.pool.aclose()

    assert running.done()


async def test_an_instance_that_stops_asking_while_idle_costs_no_event(tmp_path: Path) -> None:
    gone = asyncio.Event()

    async def one_then_turn_away(runtime: Runtime) -> int:
        got = await runtime.next()
        await runtime.respond(got, got.body)
        try:
            async with asyncio.timeout(0.02):
                await runtime.next()
        except TimeoutError:
            gone.set()
            await asyncio.Event().wait()  # alive, but its connection is gone
        return 0

    async with Host(one_then_turn_away, echo, echo) as host:
        first = await host.pool.invoke(spec(tmp_path), b"1")
        await gone.wait()
        other = spec(tmp_path, arn="arn:aws:lambda:eu-central-1:123456789012:function:other:1")
        await host.pool.invoke(other, b"")  # meanwhile the loop sees that it is gone
        second = await host.pool.invoke(spec(tmp_path), b"2")

    assert (first.payload, second.payload) == (b"1", b"2")
    assert len(host.driver.started) == 3


async def test_two_pools_on_one_loop_do_not_meet(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        hosts = [await stack.enter_async_context(Host()) for _ in range(2)]
        await hosts[0].pool.invoke(spec(tmp_path), b"1")

        assert hosts[1].driver.started == []

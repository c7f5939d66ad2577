"""Tests that are coroutine functions run in a loop of their own: asyncio's, and uvloop where it is installed."""

import asyncio
import importlib.util
import inspect

import pytest

LOOPS = ["asyncio", "uvloop"] if importlib.util.find_spec("uvloop") else ["asyncio"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if inspect.iscoroutinefunction(metafunc.function):
        metafunc.fixturenames.append("loop_kind")
        slow = metafunc.module.__name__.endswith(("test_real_workers", "test_view"))  # once, on what production has
        metafunc.parametrize("loop_kind", LOOPS[-1:] if slow else LOOPS)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    kind = pyfuncitem.callspec.params["loop_kind"]
    work = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    loop = importlib.import_module("uvloop").new_event_loop if kind == "uvloop" else None
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(work)
    return True

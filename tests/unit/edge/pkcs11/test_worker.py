import threading
from collections.abc import Iterator

import pytest

from hedgerow.edge.pkcs11.worker import Worker
from hedgerow.edge.trouble import Trouble


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker("the token")
    yield made
    made.close()


def test_calls_run_one_after_the_other_in_one_thread(worker: Worker) -> None:
    threads = {worker.run(threading.get_ident) for _ in range(3)}

    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_what_a_call_raises_is_raised_to_its_caller(worker: Worker) -> None:
    def late() -> None:
        raise TimeoutError("the call's own")

    with pytest.raises(TimeoutError, match="the call's own"):
        worker.run(late)
    assert worker.run(lambda: 1) == 1


def test_a_call_that_hangs_costs_its_deadline_and_no_more_until_it_comes_back() -> None:
    worker, back, seen = Worker("the token", within_s=0.05), threading.Event(), threading.Event()

    with pytest.raises(Trouble, match=r"the token does not answer within 0\.05 s"):
        worker.run(back.wait)
    with pytest.raises(Trouble, match="does not answer"):
        worker.run(seen.set)

    back.set()
    while True:
        try:
            assert worker.run(lambda: 2) == 2
        except Trouble:
            continue
        break
    assert not seen.is_set()
    worker.close()


def test_closing_waits_for_no_call_that_hangs_and_takes_no_more() -> None:
    worker, back = Worker("the token", within_s=0.05), threading.Event()
    with pytest.raises(Trouble):
        worker.run(back.wait)

    worker.close()
    worker.close()

    with pytest.raises(Trouble, match="is closed"):
        worker.run(lambda: 1)
    back.set()

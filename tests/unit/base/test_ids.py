import os
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from hedgerow.base.ids import RandomIds


def test_uuids_are_random_ones_and_none_comes_twice_whichever_thread_asks() -> None:
    ids = RandomIds()

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: ids.uuid(), range(4000)))

    assert len(set(made)) == 4000
    assert {(uuid.UUID(one).version, uuid.UUID(one).variant) for one in made} == {(4, uuid.RFC_4122)}


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # newer Pythons warn: the tests' runner has threads
def test_a_process_that_was_forked_makes_others_than_its_parent() -> None:
    ids = RandomIds()
    ids.uuid()
    reading, writing = os.pipe()

    child = os.fork()
    if child == 0:
        os.write(writing, ids.uuid().encode())
        os._exit(0)
    os.waitpid(child, 0)

    mine = {ids.uuid() for _ in range(300)}
    assert os.read(reading, 36).decode() not in mine
    os.close(reading)
    os.close(writing)

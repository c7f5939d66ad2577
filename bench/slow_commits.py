"""`hedgerow …` with a slower disk: `python -m bench.slow_commits cloud up …` adds 5 ms to every commit."""

import time
from typing import Any

from sqlalchemy import Engine, event

from hedgerow.cli.main import run

DELAY_S = 0.005


def wait(_connection: Any) -> None:
    time.sleep(DELAY_S)


if __name__ == "__main__":
    event.listen(Engine, "commit", wait)
    run()

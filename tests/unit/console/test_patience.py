"""Who owes the console a request for too long is cut off, and nobody else."""

from dataclasses import dataclass, field

from hedgerow.console.patience import REQUEST_S, Patience


@dataclass(eq=False)
class Transport:
    aborted: bool = False

    def abort(self) -> None:
        self.aborted = True


@dataclass(eq=False)
class Cycle:
    response_complete: bool = False


@dataclass(eq=False)
class Connection:
    cycle: Cycle | None = None
    transport: Transport = field(default_factory=Transport)


@dataclass(eq=False)
class WebSocket:
    transport: Transport = field(default_factory=Transport)


def test_a_connection_without_a_request_is_cut_off_in_time() -> None:
    patience, silent = Patience(), Connection()

    patience.look([silent], now=100.0)
    patience.look([silent], now=100.0 + REQUEST_S)
    patient = silent.transport.aborted
    patience.look([silent], now=100.1 + REQUEST_S)

    assert (patient, silent.transport.aborted) == (False, True)


def test_a_slow_second_request_is_no_better() -> None:
    patience, slow = Patience(), Connection(cycle=Cycle(response_complete=True))

    patience.look([slow], now=0.0)
    patience.look([slow], now=REQUEST_S + 1)

    assert slow.transport.aborted


def test_an_answer_that_takes_long_a_websocket_and_a_busy_connection_are_left_alone() -> None:
    patience, waiting, upgraded = Patience(), Connection(cycle=Cycle()), WebSocket()
    busy, first = Connection(), Cycle(response_complete=True)

    for step in range(10):
        busy.cycle = first if step % 2 else Cycle(response_complete=True)
        patience.look([waiting, upgraded, busy], now=step * (REQUEST_S - 1))

    assert not any(each.transport.aborted for each in (waiting, upgraded, busy))


def test_who_left_is_forgotten() -> None:
    patience, gone = Patience(), Connection()
    patience.look([gone], now=0.0)

    patience.look([], now=1.0)
    patience.look([gone], now=REQUEST_S + 1)

    assert not gone.transport.aborted

"""The life of an API call, as a list: parse, authenticate, authorise, validate, operation, serialise."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

from hedgerow.api.alternatives import elsewhere, instead
from hedgerow.api.authentication import Authenticator, Peer, Witness, nobody_asks, off_loop
from hedgerow.api.authorisation import authorise, resource_arn
from hedgerow.api.operations import Flow, Operation, Row, Way
from hedgerow.api.ports import Directory, Doorkeeper, Observer
from hedgerow.base.clock import Clock
from hedgerow.base.errors import NotImplementedYet, ServiceError, Unavailable
from hedgerow.base.ids import Ids
from hedgerow.base.log import get_logger
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.paging import InvalidToken
from hedgerow.core.request import MissingMember, Request
from hedgerow.core.wire import (
    Call,
    Catalogue,
    HttpRequest,
    HttpResponse,
    Input,
    Malformed,
    invalid,
    invalid_token,
    malformed,
    missing,
    problems,
    read_input,
    sigv4,
    write_error,
    write_output,
)
from hedgerow.core.wire.catalogue import SIGNING_NAMES, operation_named
from hedgerow.core.wire.checksums import check_body
from hedgerow.core.wire.inputs import INFLATED_LIMIT
from hedgerow.store import Answer, Run, Tx, checked_before_writing

log = get_logger("api")

NO_HINTS: Mapping[tuple[str, str], str] = {}
DEADLINE_S = 30.0
FLOW_DEADLINE_S = 15 * 60.0
_IGNORED_SHOWN = 1000  # characters of the header
_IGNORED_NAME = 128  # characters of a name in the log


class InternalFailure(ServiceError):
    """Our own mistake; the log has the traceback under the request id."""

    code = "InternalFailureException"
    status = 500

    def __init__(self, request_id: str) -> None:
        super().__init__(f"An internal error occurred; the log of the cloud tells more under request {request_id}.")


class ServiceUnavailable(ServiceError):
    """Not now: something that is needed did not answer in time. Whether the change was made is not known."""

    code = "ServiceUnavailableException"
    status = 503


@dataclass(slots=True)
class Exchange:
    """One request on its way through the list."""

    http: HttpRequest
    peer: Peer
    request_id: str
    signed: sigv4.Signed | None = None
    call: Call | None = None
    caller: Caller | None = None
    ignored: list[str] = field(default_factory=list)
    params: Mapping[str, Any] | None = None
    error: ServiceError | None = None


class Pipeline:
    """Answers API calls from the table of operations."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        operations: Mapping[tuple[str, str], Row],
        directory: Directory,
        runner: Run,
        clock: Clock,
        ids: Ids,
        region: str,
        hints: Mapping[tuple[str, str], str] = NO_HINTS,
        doorkeeper: Doorkeeper | None = None,
        observer: Observer | None = None,
        witness: Witness = nobody_asks,
    ) -> None:
        """`hints` tell of operations that are not in the table why, and what to use instead.

        Without a doorkeeper no custom authorizer is asked.
        """
        self._observer = observer
        self._hints = hints
        self._catalogue = catalogue
        self._operations = operations
        self._directory = directory
        self._runner = runner
        self._clock = clock
        self._ids = ids
        self.authenticator = Authenticator(
            catalogue=catalogue,
            directory=directory,
            clock=clock,
            region=region,
            doorkeeper=doorkeeper,
            witness=witness,
        )
        self.answered: Counter[tuple[str, str, int]] = Counter()
        """How often (service, operation, status) was answered; the table of operations bounds it."""

    async def answer(self, http: HttpRequest, peer: Peer, request_id: str) -> HttpResponse:
        """Answer one request; every error becomes a response."""
        exchange = Exchange(http, peer, request_id)
        try:
            response = await self._steps(exchange)
        except InvalidToken as error:
            assert exchange.call is not None  # noqa: S101 - only an operation raises it
            response = self._refusal(exchange, invalid_token(exchange.call, error.message))
        except ServiceError as error:
            response = self._refusal(exchange, error)
        except Malformed as error:
            assert exchange.call is not None  # noqa: S101 - only reading an input raises it
            response = self._refusal(exchange, malformed(exchange.call, error))
        except MissingMember as error:
            assert exchange.call is not None  # noqa: S101 - only an operation raises it
            response = self._refusal(exchange, invalid(exchange.call, [missing(error.path)]))
        except RecursionError:  # of a document in a member: what the wire reads has its own bound
            assert exchange.call is not None  # noqa: S101 - nothing recurses before the input is read
            response = self._refusal(exchange, malformed(exchange.call, Malformed("", "nested less deeply")))
        except (Unavailable, TimeoutError) as error:
            log.warning("an operation was not answered in time", extra={"fields": self._fields(exchange)})
            response = self._refusal(exchange, ServiceUnavailable(str(error) or "The operation took too long."))
        except Exception:
            log.exception("an operation failed", extra={"fields": self._fields(exchange)})
            response = self._refusal(exchange, InternalFailure(request_id))
        return self._finished(exchange, response)

    def refuse(self, http: HttpRequest, peer: Peer, request_id: str, error: ServiceError) -> HttpResponse:
        """Answer a request that is refused before its body was read, in the form that its client reads."""
        exchange = Exchange(http, peer, request_id)
        with suppress(ServiceError):
            exchange.signed = sigv4.read_signed(http)
            exchange.call = self.authenticator.find(http, exchange.signed, peer)
        return self._finished(exchange, self._refusal(exchange, error))

    async def _steps(self, exchange: Exchange) -> HttpResponse:
        signed = exchange.signed = sigv4.read_signed(exchange.http)
        if signed is not None and signed.credential.service not in SIGNING_NAMES:
            raise self._no_service(exchange.http, signed.credential.service)
        call = exchange.call = self.authenticator.find(exchange.http, signed, exchange.peer)
        known = await self.authenticator.authenticate(call, exchange.http, signed, exchange.peer, exchange.request_id)
        http = known.http
        caller = exchange.caller = known.caller
        row = self._row(call)
        if call.service == "s3" and call.operation.name != "CompleteMultipartUpload":  # its checksum is the object's
            await off_loop(len(http.body), check_body, http.headers, http.body)
        size = INFLATED_LIMIT if "content-encoding" in http.headers else len(http.body)
        given = await off_loop(size, read_input, call, http, self._ids.uuid)
        exchange.ignored, exchange.params = given.ignored, given.params
        resource = resource_arn(row.resource, given.params, caller)
        await authorise(
            self._directory,
            row,
            call,
            caller,
            given.params,
            peer=exchange.peer,
            now=self._clock.now(),
            headers=http.headers,
            grants=known.grants,
        )
        if found := problems(call.service, call.operation, given.params):
            raise invalid(call, found)
        response = await self._run(row, call, given, caller, lane=f"{caller.account} {resource}")
        return write_output(call, response, exchange.request_id)

    @staticmethod
    def _no_service(http: HttpRequest, service: str) -> ServiceError:
        asked = operation_named(http)
        return NotImplementedYet(f"There is no service '{service}' here{asked}. Instead: {elsewhere(service)}.")

    def _row(self, call: Call) -> Row:
        row = self._operations.get((call.service, call.operation.name))
        if row is None:
            name = call.operation.name
            hint = self._hints.get((call.service, name)) or f"Instead: {instead(call.service, name)}."
            raise NotImplementedYet(f"{call.service}:{name} is not implemented by Hedgerow yet. {hint}")
        return row

    async def _run(self, row: Row, call: Call, given: Input, caller: Caller, *, lane: str) -> Mapping[str, Any]:
        if row.way is Way.FLOW:
            flow = cast("Flow", row.method)
            request = Request(given.params)
            # what a step has committed stays: a flow must read its members before its first one that writes
            with checked_before_writing(lambda: refuse_unread(request, call, given)):
                async with asyncio.timeout(FLOW_DEADLINE_S):
                    response = await flow(request, caller)
            refuse_unread(request, call, given)
            return response
        operation, params = cast("Operation", row.method), given.params
        if row.gather is not None:
            async with asyncio.timeout(DEADLINE_S):
                params = {**params, **await row.gather(params, caller)}

        def work(tx: Tx) -> Answer:
            request = Request(params)  # made here: the runner may run this more than once
            answer = operation(tx, request, caller)
            refuse_unread(request, call, given)
            return answer

        async with asyncio.timeout(DEADLINE_S):
            if row.way is Way.READ:
                answer = await self._runner.read(work)
            else:  # what concerns one resource is committed, and its events leave, in the order of the requests
                answer = await self._runner.write(work, lane=lane)
        return answer.response

    def _refusal(self, exchange: Exchange, error: ServiceError) -> HttpResponse:
        exchange.error = error
        call = exchange.call
        signed = exchange.signed
        if call is None and signed is None and exchange.peer.certificate is not None:
            model, protocol = None, "rest-json"  # all that devices may call
        elif call is None:
            model, protocol = self._catalogue.guess(exchange.http, signed.credential.service if signed else None)
        else:
            model, protocol = call.model, call.protocol
        response = write_error(model, protocol, error, exchange.request_id, resource=exchange.http.path)
        if exchange.http.method == "HEAD":
            response.body = b""
        return response

    def _finished(self, exchange: Exchange, response: HttpResponse) -> HttpResponse:
        call = exchange.call
        headers = response.headers
        headers["x-amzn-requestid"] = exchange.request_id
        if response.headers.get("content-type") == "application/xml" or (call and call.protocol == "rest-xml"):
            headers["x-amz-request-id"] = exchange.request_id
        by_authorizer = exchange.caller is not None and exchange.caller.kind is Kind.CUSTOM
        if exchange.ignored and not by_authorizer:  # whose parameters have any name
            names = ", ".join(dict.fromkeys(exchange.ignored))
            headers["x-hedgerow-ignored"] = names.encode("ascii", "replace").decode("ascii")[:_IGNORED_SHOWN]
            if exchange.caller is not None and exchange.caller.kind is not Kind.ANONYMOUS:  # who could fill the log
                ignored = [name[:_IGNORED_NAME] for name in exchange.ignored[:20]]
                fields = {**self._fields(exchange), "ignored": ignored}
                log.warning("members that the model does not know were ignored", extra={"fields": fields})
        key = (call.service, call.operation.name) if call is not None else ("", "")
        self.answered[(*key, response.status)] += 1
        caller, params = exchange.caller, exchange.params
        if self._observer is not None and caller is not None and params is not None:
            self._observer.answered(*key, caller, params, exchange.error)
        return response

    def _fields(self, exchange: Exchange) -> dict[str, Any]:
        call, caller = exchange.call, exchange.caller
        return {
            "request_id": exchange.request_id,
            "service": call.service if call else None,
            "operation": call.operation.name if call else None,
            "principal": caller.principal if caller else None,
        }


def refuse_unread(request: Request, call: Call, given: Input) -> None:
    """Raise NotImplementedYet when members were sent that the operation did not read: never accepted and ignored."""
    unread = [path for path in request.unread() if path not in given.filled]
    if unread:
        members = ", ".join(unread[:20])
        raise NotImplementedYet(
            f"{call.service}:{call.operation.name} does not honour {members} yet; the request was refused and "
            "nothing was changed. Send it without."
        )

"""Errors forced in every layer: each becomes a problem in words, and none tells of our insides."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar import get, post
from litestar.params import FromQuery, RawBody
from pymongo.errors import (
    AutoReconnect,
    DuplicateKeyError,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
)
from redis.exceptions import ConnectionError as RedisGone

from social.api.routes import LARGEST_JSON
from social.backing import Backing
from social.errors import (
    Conflict,
    Disconnected,
    Forbidden,
    Invalid,
    NotFound,
    Rejected,
    RetryLater,
    SignInNeeded,
    TooLarge,
    TooMany,
    Unavailable,
    UnsupportedType,
    Wrong,
)
from tests.api.serving import Answer, Api, served

INSIDE = "canary mongodb://user:pass@10.0.0.1:27017 in /srv/app.py line 3"
OPEN = {"public": True}


class Failing:
    """A route that raises whatever it is given."""

    def __init__(self) -> None:
        self.error: Exception = RuntimeError()
        self.api: Api | None = None

        @get("/fails", opt=OPEN)
        async def fails() -> None:
            raise self.error

        self.route = fails

    async def answered(self, error: Exception) -> Answer:
        """What the caller gets when a handler raises `error`."""
        assert self.api
        self.error = error
        return await self.api.ask("GET", "//fails")


@pytest.fixture(scope="module")
async def failing(session_backing: Backing) -> AsyncIterator[Failing]:
    failing = Failing()
    async with served(session_backing, others=[failing.route]) as failing.api:
        yield failing


REFUSALS = [
    (Invalid("Change it.", [Wrong("/text", "Shorter.", "long")]), 422, "invalid"),
    (SignInNeeded("Sign in."), 401, "sign-in-needed"),
    (Forbidden("No."), 403, "forbidden"),
    (NotFound("Not there."), 404, "not-found"),
    (Conflict("It is online.", state="online"), 409, "conflict"),
    (TooLarge("Too much."), 413, "too-large"),
    (UnsupportedType("Not that."), 415, "unsupported-type"),
    (TooMany("Slowly.", retry_after=7), 429, "too-many"),
    (Unavailable("Later.", retry_after=9), 503, "unavailable"),
    (RetryLater("The server is slow."), 503, "unavailable"),
    (Rejected("It does not want that."), 422, "invalid"),
    (Disconnected("Connect it again."), 422, "invalid"),
]


@pytest.mark.parametrize(("error", "status", "kind"), REFUSALS, ids=lambda value: type(value).__name__)
async def test_what_is_refused_is_said_in_the_rooms_own_words(
    failing: Failing, error: Any, status: int, kind: str
) -> None:
    answer = await failing.answered(error)

    assert (answer.status, answer.problem) == (status, kind)
    assert answer.json["detail"] == error.sentence


async def test_facts_field_errors_and_waiting_times_come_along(failing: Failing) -> None:
    invalid, conflict, many, away = [await failing.answered(REFUSALS[n][0]) for n in (0, 4, 7, 8)]

    assert invalid.json["errors"] == [{"pointer": "/text", "detail": "Shorter.", "code": "long"}]
    assert conflict.json["state"] == "online"
    assert (many.headers["retry-after"], away.headers["retry-after"]) == ("7", "9")


async def test_facts_cannot_hide_what_happened(failing: Failing) -> None:
    answer = await failing.answered(Conflict("It changed.", status=200, title="Fine", type="ok"))

    assert (answer.problem, answer.json["title"]) == ("conflict", "It has changed")


@pytest.mark.parametrize(
    "error",
    [
        AutoReconnect(INSIDE),
        NetworkTimeout(INSIDE),
        NotPrimaryError(INSIDE),
        ServerSelectionTimeoutError(INSIDE),
        OperationFailure(INSIDE, 112, {"errorLabels": ["TransientTransactionError"]}),
        OperationFailure(INSIDE, 50),
        RedisGone(INSIDE),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_server_of_ours_that_is_away_is_a_503_with_a_time_to_come_back(
    failing: Failing, error: Exception
) -> None:
    answer = await failing.answered(error)

    assert (answer.status, answer.problem) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert b"canary" not in answer.body


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(INSIDE),
        KeyError(INSIDE),
        RecursionError(INSIDE),
        ExceptionGroup(INSIDE, [ValueError(INSIDE)]),
        OperationFailure(INSIDE, 2),
        DuplicateKeyError(INSIDE),
        OSError(INSIDE),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_fault_of_ours_is_a_number_that_stands_in_the_log(
    failing: Failing, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await failing.answered(error)

    assert (answer.status, answer.problem) == (500, "internal")
    assert b"canary" not in answer.body
    assert b"Traceback" not in answer.body
    number = re.search(r"under ([0-9a-f]{16})\.", answer.json["detail"])
    assert number
    assert answer.json["instance"].endswith(number[1])
    logged = capsys.readouterr()
    assert number[1] in logged.out + logged.err


@pytest.mark.parametrize("path", ["//nothing/here.txt", "/nothing", "//api", "//api/v2/me", "//m/x/y", "//health/x"])
async def test_what_is_not_there_is_a_problem_and_no_page(api: Api, path: str) -> None:
    answer = await api.ask("GET", path)

    assert (answer.status, answer.problem) == (404, "not-found")


async def test_another_method_says_which_there_are(api: Api) -> None:
    answer = await api.ask("PUT", "/setup", json={})

    assert (answer.status, answer.problem) == (405, "invalid")


async def test_wrong_query_parameters_are_named(backing: Backing) -> None:
    @get("/list", opt=OPEN)
    async def listed(limit: FromQuery[int], order: FromQuery[str]) -> None: ...

    async with served(backing, others=[listed]) as api:
        wrong = await api.ask("GET", "//list?limit=many&order=a")
        missing = await api.ask("GET", "//list?limit=3")

    assert (wrong.status, wrong.json["errors"]) == (
        422,
        [{"pointer": "/limit", "detail": "This should be a whole number, not text.", "code": "type"}],
    )
    assert [(each["pointer"], each["code"]) for each in missing.json["errors"]] == [("/order", "missing")]


async def test_a_body_larger_than_is_taken_is_refused_before_it_is_decoded(backing: Backing) -> None:
    @post("/echo", opt=OPEN)
    async def echo(body: RawBody) -> None: ...

    async with served(backing, others=[echo]) as api:
        await api.set_up()
        public = await api.ask("POST", "/session", data=b" " * 20_000, headers={"Content-Type": "application/json"})
        signed_in = await api.ask("POST", "//echo", data=b" " * (LARGEST_JSON + 1))

        async def streamed() -> Any:
            for _ in range(40):
                yield b" " * 1000

        unannounced = await api.ask("POST", "/session", data=streamed(), headers={"Content-Type": "application/json"})

    for answer in (public, signed_in, unannounced):
        assert (answer.status, answer.problem) == (413, "too-large")

"""Alive, ready, and how it is."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from beanie import PydanticObjectId

from social.api.health import ANSWERS_IN, Readiness
from social.backing import Backing, opened
from social.errors import OutcomeUnknown
from social.moments import now
from social.platforms.contract import Content
from social.publishing import gate, lateness, watchdog
from social.publishing.documents import Publication
from social.publishing.gate import Attempted, Sending
from social.publishing.states import State
from tests.api.serving import Api, served, with_settings
from tests.publishing.test_lateness import late

NOWHERE = "127.0.0.1:1"  # nobody listens there
PROXIED = {"X-Forwarded-For": "203.0.113.9"}


@asynccontextmanager
async def without(backing: Backing, **settings: Any) -> AsyncIterator[Api]:
    """Served with one of its servers away."""
    async with opened(with_settings(backing, **settings).settings) as lacking, served(lacking) as api:
        yield api


async def test_alive_and_ready_when_everything_answers(api: Api) -> None:
    assert (await api.ask("GET", "//health/live")).json == {"live": True}
    ready = await api.ask("GET", "//health/ready")

    assert ready.status == 200
    assert ready.json == {"ready": True, "draining": False, "database": True, "bucket": True, "queue": True}


async def test_draining_is_not_ready(backing: Backing) -> None:
    readiness = Readiness()
    async with served(backing, readiness=readiness) as api:
        assert (await api.ask("GET", "//health/ready")).status == 200
        readiness.draining = True
        answer = await api.ask("GET", "//health/ready")

    assert answer.status == 503
    assert answer.json["draining"]
    assert not answer.json["ready"]


@pytest.mark.parametrize(
    ("lacking", "part", "status"),
    [
        ({"mongo_url": f"mongodb://{NOWHERE}/"}, "database", 503),
        ({"s3_endpoint": f"http://{NOWHERE}"}, "bucket", 503),
        ({"redis_url": f"redis://{NOWHERE}/0"}, "queue", 200),  # a hint: posts go out without it
    ],
    ids=["database", "bucket", "queue"],
)
async def test_a_server_that_is_away_is_named_in_time(
    backing: Backing, lacking: dict[str, str], part: str, status: int
) -> None:
    async with without(backing, **lacking) as api:
        began = time.monotonic()
        for path in ("//health/ready", "//health"):
            answer = await api.ask("GET", path)
            assert (answer.status, answer.json[part]) == (status, False)
        assert time.monotonic() - began < 4 * ANSWERS_IN
        assert (await api.ask("GET", "//health/live")).status == 200


async def test_the_details_are_for_the_signed_in_and_for_this_machine(api: Api) -> None:
    near = await api.ask("GET", "//health")
    for header in ({"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}, {"Via": "1.1 proxy"}):
        assert (await api.ask("GET", "//health", headers=header)).problem == "sign-in-needed"
    assert (await api.ask("GET", "//health", headers={"Host": "social.example.org"})).status == 401
    await api.set_up()

    assert near.status == 200
    assert set(near.json["tasks"]) == {"api", "worker", "live", "clock"}
    assert (near.json["waiting"], near.json["overdue"]) == (0, None)
    assert (await api.ask("GET", "//health", headers=PROXIED)).status == 200


async def test_the_publication_that_waits_longest_is_named(api: Api) -> None:
    at = now()
    for minutes, state in ((1, State.PLANNED), (3, State.WAITING), (9, State.ONLINE), (-5, State.PLANNED)):
        await publication(state, at - timedelta(minutes=minutes))

    overdue = (await api.ask("GET", "//health")).json["overdue"]

    assert set(overdue) == {"state", "next_at", "seconds"}  # and nothing that is somebody's
    assert overdue["state"] == "waiting"
    assert 179 <= overdue["seconds"] < 240  # by the database's clock


async def test_what_must_not_be_is_red_until_it_is_gone(api: Api, backing: Backing) -> None:
    workspace = (await publication(State.WAITING, now() - timedelta(hours=1))).workspace_id
    assert (await api.ask("GET", "//health")).json["well"]
    await watchdog.look(backing)

    red = (await api.ask("GET", "//health")).json
    await Publication.find({}).delete()
    await watchdog.look(backing)
    green = (await api.ask("GET", "//health")).json

    assert not red["well"]
    ((alarm),) = red["alarms"]
    assert (alarm["name"], alarm["count"]) == ("overdue", 1)
    assert alarm["since"]
    assert str(workspace) not in str(red), "health says nothing that is somebody's"
    assert (green["well"], green["alarms"]) == (True, [])


async def test_a_platform_in_trouble_is_named_and_none_of_its_servers(api: Api, backing: Backing) -> None:
    assert (await api.ask("GET", "//health")).json["breakers"] == []
    tired = [
        Attempted(Sending(n, n, "mastodon", "sandbox", "https://of.somebody", str(n)), OutcomeUnknown("No answer."))
        for n in range(3)
    ]
    await gate.learnt(tired, backing)

    told = (await api.ask("GET", "//health")).json

    assert told["breakers"] == [{"platform": "mastodon", "realm": "sandbox", "servers": 1}]
    assert "somebody" not in str(told)


async def test_lateness_over_all_workspaces_is_in_the_details(api: Api, backing: Backing) -> None:
    backing.tally.taken()
    lateness.noted(late(12), State.ONLINE, backing)
    await lateness.keep(backing)

    told = (await api.ask("GET", "//health")).json["lateness"]

    assert told["hour"] == {"count": 1, "p50_ms": 12, "p90_ms": 12, "p99_ms": 12, "max_ms": 12}


async def publication(state: State, next_at: Any) -> Publication:
    """One of nobody's."""
    return await Publication(
        workspace_id=PydanticObjectId(),
        post_id=PydanticObjectId(),
        account_id=PydanticObjectId(),
        platform="mastodon",
        realm="sandbox",
        content=Content(text="hello"),
        key="key",
        wall="2026-11-22T09:30:00",
        zone="UTC",
        due_at=next_at,
        next_at=next_at,
        state=state,
    ).insert()

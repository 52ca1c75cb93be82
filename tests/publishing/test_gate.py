"""The gate, alone and in front of the engine: nothing goes out before its platform allows it, and waiting is free."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from social.backing import Backing
from social.backing.mongo import ServerClock
from social.backing.quotas import Breaking, Quotas
from social.errors import Disconnected, OutcomeUnknown, PlatformError, QuotaSpent, Rejected, RetryLater
from social.jobs import clock
from social.jobs.running import Running
from social.moments import now, steady
from social.people.roles import Caller
from social.platforms import PLATFORMS
from social.platforms.answers import told
from social.platforms.contract import Receipt, Told
from social.publishing import arming, claims, gate
from social.publishing.documents import Publication
from social.publishing.gate import Attempted, Sending
from social.publishing.states import State
from tests.conftest import free_port
from tests.publishing.conftest import Connect, Planned, until
from tests.servers.sandbox import Sandbox

POSTS = "/api/v1/statuses"
ONLINE = Receipt(id="1")
TROUBLE = RetryLater("mastodon.example has trouble right now (503).", code="trouble", status=503)


@pytest.fixture
def quotas(backing: Backing) -> Backing:
    """`backing` with quotas that know nothing yet."""
    return replace(backing, quotas=Quotas(patience=5))


def sending(
    id: str = "p", account: str = "a", platform: str = "mastodon", origin: str = "https://one.example"
) -> Sending:
    return Sending(id, account, platform, "live", origin, f"remote-{account}")


def many(count: int, **of: str) -> list[Sending]:
    return [sending(id=f"p{n}", **of) for n in range(count)]


async def test_an_account_may_as_much_as_its_platform_s_tightest_window(quotas: Backing) -> None:
    for platform, most in (("mastodon", 300), ("x", 100), ("bluesky", 1666)):
        refused = await gate.admit(many(most + 2, platform=platform), quotas)

        assert sorted(refused) == sorted([f"p{most}", f"p{most + 1}"])
        assert all(isinstance(error, QuotaSpent) for error in refused.values())


async def test_a_refusal_says_in_words_why_it_waits_and_until_when(quotas: Backing) -> None:
    await gate.admit(many(100, platform="x"), quotas)

    (refusal,) = (await gate.admit([sending(platform="x")], quotas)).values()

    assert refusal.sentence == "X allows this account 100 posts in 15 minutes. This goes out when the next one may."
    assert refusal.until is not None
    assert timedelta(seconds=890) < refusal.until - quotas.now() <= timedelta(seconds=901)


async def test_the_same_remote_id_on_another_server_is_another_account(quotas: Backing) -> None:
    await gate.admit(many(300), quotas)

    assert not await gate.admit(many(300, origin="https://two.example"), quotas)
    assert await gate.admit([sending()], quotas)


async def test_all_accounts_share_the_window_of_the_app(quotas: Backing) -> None:
    for n in range(100):
        assert not await gate.admit(many(100, platform="x", account=f"a{n}"), quotas)

    (refusal,) = (await gate.admit([sending(platform="x", account="fresh")], quotas)).values()

    assert "X allows this installation 10,000 posts in a day" in refusal.sentence


async def test_a_spent_quota_closes_the_account_and_no_other_until_it_is_over(quotas: Backing) -> None:
    over = now() + timedelta(minutes=7)
    await gate.learnt([Attempted(sending(), QuotaSpent("No more.", until=over))], quotas)
    other_instance = replace(quotas, quotas=Quotas(patience=5))

    for instance in (quotas, other_instance):
        refused = await gate.admit([sending("mine"), sending("another's", "b")], instance)
        assert list(refused) == ["mine"]
        assert isinstance(refused["mine"], QuotaSpent)
        assert abs(refused["mine"].until - over) < timedelta(seconds=3)


@pytest.mark.parametrize("ahead", [1, -1], ids=["an hour slow", "an hour fast"])
async def test_a_closed_account_opens_by_the_database_s_clock_whatever_the_machine_s_own_says(
    ahead: int, quotas: Backing
) -> None:
    skewed = replace(quotas, clock=ServerClock())
    skewed.clock.heard(now() + timedelta(hours=ahead), steady())
    over = skewed.now() + timedelta(minutes=7)

    await gate.learnt([Attempted(sending(), QuotaSpent("No more.", until=over))], skewed)

    (refusal,) = (await gate.admit([sending()], skewed)).values()
    assert refusal.until is not None
    assert abs(refusal.until - over) < timedelta(seconds=3)


async def test_what_is_left_by_the_platform_s_own_count_is_all_that_goes_out(quotas: Backing) -> None:
    await gate.learnt([Attempted(sending(), ONLINE, (Told("5 minutes", 2, 100.0),))], quotas)

    assert sorted(await gate.admit(many(4), quotas)) == ["p2", "p3"]


@pytest.mark.parametrize(
    ("platform", "headers", "heard"),
    [
        ("x", {"x-rate-limit-remaining": "0", "x-rate-limit-reset": "1800000060"}, [Told("15 minutes", 0, 60)]),
        (
            "x",
            {"x-app-limit-24hour-remaining": "7", "x-app-limit-24hour-reset": "1800000600"},
            [Told("a day", 7, 600)],
        ),
        (
            "mastodon",
            {"x-ratelimit-remaining": "299", "x-ratelimit-reset": "2027-01-15T08:01:00.268656Z"},
            [Told("5 minutes", 299, 60.268656)],
        ),
        ("bluesky", {"ratelimit-remaining": "8", "ratelimit-reset": "1800000030"}, [Told("an hour", 2, 30)]),
        # How much there is in all: where it is surely this window's.
        (
            "x",
            {"x-rate-limit-remaining": "7", "x-rate-limit-reset": "1800000060", "x-rate-limit-limit": "200"},
            [Told("15 minutes", 7, 60, 200)],
        ),
        (
            "mastodon",
            {"x-ratelimit-remaining": "7", "x-ratelimit-reset": "1800000060", "x-ratelimit-limit": "1500"},
            [Told("5 minutes", 7, 60)],
        ),
        (
            "bluesky",
            {
                "ratelimit-remaining": "30",
                "ratelimit-reset": "1800000600",
                "ratelimit-limit": "9000",
                "ratelimit-policy": "9000;w=86400",
            },
            [Told("a day", 10, 600, 3000)],
        ),
        (
            "bluesky",
            {"ratelimit-remaining": "8", "ratelimit-reset": "1800000030", "ratelimit-policy": "30;w=300"},
            [],
        ),
        (
            "bluesky",
            {"ratelimit-remaining": "8", "ratelimit-reset": "1800000030", "ratelimit-policy": "30;w=300, 9;w=1"},
            [Told("an hour", 2, 30)],
        ),
        ("x", {"x-rate-limit-remaining": "0"}, []),
        ("x", {"x-rate-limit-remaining": "-1", "x-rate-limit-reset": "1800000060"}, []),
        ("x", {"x-rate-limit-remaining": "0", "x-rate-limit-reset": "1799999999"}, []),
        ("x", {"x-rate-limit-remaining": "0", "x-rate-limit-reset": "nonsense"}, []),
        ("x", {"x-rate-limit-remaining": "0", "x-rate-limit-reset": "9800000000"}, []),
        ("x", {}, []),
    ],
)
def test_headers_are_read_as_each_platform_means_them(
    platform: str, headers: dict[str, str], heard: list[Told]
) -> None:
    dated = headers | {"date": "Fri, 15 Jan 2027 08:00:00 GMT"}  # 1800000000

    assert list(told(dated, PLATFORMS[platform].windows, now())) == heard


OF_ONE: list[PlatformError] = [
    Disconnected("The login is gone.", code="disconnected", status=401),
    Rejected("Too long.", code="rejected", status=422),
    QuotaSpent("No more.", until=now() + timedelta(hours=1), status=429),
    RetryLater("Too late.", answered=False, code="too-late"),
    RetryLater("Our bucket.", answered=False, code="storage-away"),
]


@pytest.mark.parametrize("outcome", OF_ONE, ids=lambda error: str(error.facts.get("code", "quota")))
async def test_what_is_wrong_with_one_account_or_post_opens_no_breaker(quotas: Backing, outcome: PlatformError) -> None:
    await gate.learnt([Attempted(sending(f"p{n}", f"a{n}"), outcome) for n in range(20)], quotas)

    assert await gate.open_breakers(quotas) == []
    assert not await gate.admit([sending("fresh", "fresh")], quotas)


@pytest.mark.parametrize(
    "outcome",
    [TROUBLE, OutcomeUnknown("No answer.", code="no-answer"), RetryLater("Gone.", answered=False, code="unreachable")],
    ids=["trouble", "unknown", "unreachable"],
)
async def test_trouble_of_several_accounts_keeps_the_rest_back_with_a_reason(
    quotas: Backing, outcome: PlatformError
) -> None:
    await gate.learnt([Attempted(sending(f"p{n}", f"a{n}"), outcome) for n in range(3)], quotas)

    refused = await gate.admit([sending("mine"), sending("elsewhere", origin="https://two.example")], quotas)

    assert list(refused) == ["mine"]
    assert isinstance(refused["mine"], RetryLater)
    assert not refused["mine"].answered, "it costs no try"
    assert refused["mine"].until is not None
    assert refused["mine"].sentence == "Mastodon has trouble. One post is tried first, then the rest."
    assert await gate.open_breakers(quotas) == [("live", "mastodon", "https://one.example")]


async def test_without_quotas_nothing_is_counted(quotas: Backing) -> None:
    free = replace(quotas, settings=msgspec.structs.replace(quotas.settings, quota_scale=0))

    assert not await gate.admit(many(1000, platform="x"), free)


async def test_without_redis_windows_closings_and_breakers_hold_within_the_process(quotas: Backing) -> None:
    away = replace(quotas, redis=Redis.from_url(f"redis://127.0.0.1:{free_port()}"))
    over = now() + timedelta(minutes=7)
    await gate.learnt([Attempted(sending(account="spent"), QuotaSpent("No more.", until=over))], away)

    assert sorted(await gate.admit(many(102, platform="x"), away)) == ["p100", "p101"]
    assert await gate.admit([sending(account="spent")], away)
    assert not await gate.admit([sending()], away)
    await gate.learnt([Attempted(sending(f"p{n}", f"a{n}"), TROUBLE) for n in range(3)], away)
    assert isinstance((await gate.admit([sending()], away))["p"], RetryLater)
    assert await gate.open_breakers(away) == [("live", "mastodon", "https://one.example")]
    await away.redis.aclose()


# The whole engine, against the sandbox


async def sent(sandbox: Sandbox) -> list[dict[str, Any]]:
    return sandbox.requests("POST", POSTS)


async def states() -> dict[str, int]:
    found = await Publication.find().to_list()
    return {state: sum(each.state == state for each in found) for state in {each.state for each in found}}


async def test_after_a_429_nothing_of_the_account_is_sent_before_its_reset_and_nothing_counts(
    planned: Planned, engine: Running, sandbox: Sandbox, connect: Connect
) -> None:
    other = await connect("bob")
    sandbox.trouble(publish={"status": 429, "count": 1, "reset_in": 6})
    began = time.monotonic()
    posts = [await planned(f"post {n}") for n in range(8)]
    waiting = [await until(post, State.WAITING) for post in posts]
    calls = await sent(sandbox)

    assert len(calls) == 1, "one met the limit, and seven were kept back without asking"
    assert [(each.tries, each.reason and each.reason.code) for each in waiting] == [(0, "quota")] * 8
    assert sum(each.attempt_no for each in waiting) == 1
    await until(await planned("another's", on=(other,)), State.ONLINE)

    first = await until(posts[0], State.ONLINE, within=30)
    assert time.monotonic() - began > 5
    assert first.tries == 0
    early = [call for call in await sent(sandbox) if call["status"] == 429]
    assert len(early) == 1, "no call came before the reset"


async def test_a_platform_s_own_count_of_what_is_left_is_kept_to(
    planned: Planned, engine: Running, sandbox: Sandbox
) -> None:
    sandbox.trouble(mastodon={"quotas": {"statuses": 4}})
    posts = [await planned(f"post {n}") for n in range(8)]
    async with asyncio.timeout(20):
        while (await states()) != {State.ONLINE: 4, State.WAITING: 4}:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)  # and stays so

    assert [call["status"] for call in await sent(sandbox)] == [200] * 4, "the limit was never met"
    assert len(posts) == 8


async def test_what_was_let_through_too_early_has_its_place_and_takes_no_other(
    planned: Planned, backing: Backing, engine: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, arm = [], arming.arm

    async def late_clock(publications: Any, **how: Any) -> Any:
        asked.append(publications)
        return {} if len(asked) < 4 else await arm(publications, **how)

    monkeypatch.setattr(claims, "arm", late_clock)
    await until(await planned("patience"), State.ONLINE)

    keys = [key async for key in backing.redis.scan_iter(f"{gate.prefix(backing)}w:*")]
    stored = [msgspec.msgpack.decode(await backing.redis.get(key)) for key in keys]
    assert len(asked) == 4
    assert [sum(state[6::2]) for state in stored] == [1] * len(PLATFORMS["mastodon"].windows)


async def test_an_outage_is_waited_out_with_one_trial_at_a_time_and_then_all_goes_out_once(
    backing: Backing, caller: Caller, connect: Connect, planned: Planned, sandbox: Sandbox
) -> None:
    quick = Breaking(trip=3, first=1_000, longest=1_000, doubles=200, ramp_ends=3_000)
    own = replace(backing, quotas=Quotas(breaking=quick, patience=5))
    accounts = [await connect(f"person{n}") for n in range(12)]
    sandbox.trouble(publish={"status": 503})
    for n, account in enumerate(accounts[:3]):
        await planned(f"early {n}", on=(account,))
    running = Running()
    ticking = asyncio.create_task(clock.run(own, running))
    try:
        async with asyncio.timeout(20):
            while not await gate.open_breakers(own):
                await asyncio.sleep(0.02)
        before = len(await sent(sandbox))
        later = [await planned(f"later {n}", on=(account,)) for n, account in enumerate(accounts[3:])]
        kept = [await until(post, State.WAITING) for post in later]
        assert {each.reason.code for each in kept if each.reason} <= {"unreachable", "repeat"}
        assert sum(each.attempt_no for each in kept) <= len(await sent(sandbox)) - before
        sandbox.trouble()
        for post in later:
            await until(post, State.ONLINE, within=30)
        texts = sandbox.texts()
        assert sorted(set(texts)) == sorted(texts)
    finally:
        own.stopping.set()
        await ticking
        await running.drained(10)
        own.stopping.clear()

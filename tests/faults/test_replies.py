"""Lost, broken and unwelcome answers: what is unknown is looked up and never guessed; what is definite costs little."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.conftest import Scenes
from tests.faults.ledger import Figures
from tests.faults.scene import BY_WIRE, PLATFORMS, Scene, instant, soon
from tests.faults.wire import Wire

Report = Callable[..., Figures]
LOST = (
    {"hang_up": "after", "reset": True},
    {"hang_up": "after"},
    {"truncated": True},
    {"garbage": True},
    {"delay_after": 60},
)
WRITES = ("createRecord", "putRecord", "applyWrites")
GATEWAYS = ({"status_after": 502}, {"status_after": 503}, {"status_after": 504})


@pytest.mark.rows("F8", "F9")
async def test_what_the_platform_did_and_could_not_say_is_found_and_not_sent_again(
    stage: Scenes, report: Report
) -> None:
    scene, faults = await stage(), 0
    scene.started()
    for fault in (*LOST, *GATEWAYS):
        scene.sandbox.trouble(publish=[{"platform": platform, "count": 1} | fault for platform in PLATFORMS])
        await scene.plan(f"lost by {fault}")
        faults += len(PLATFORMS)
        await scene.ledger.at_rest(20)
    scene.sandbox.trouble()

    figures = report(await scene.concluded(faults))
    assert {state for _, state, _ in await scene.states()} == {"online"}
    assert figures.settled == figures.unknown == faults


@pytest.mark.rows("F8")
async def test_replies_swallowed_reset_or_cut_on_the_wire_are_unknown_and_settled(
    stage: Scenes, wire: Wire, report: Report
) -> None:
    scene = await stage(sandbox_port=wire.port, platforms=BY_WIRE)
    scene.started()
    await scene.plan("warms up")
    await scene.ledger.at_rest(20)

    wire.trouble(swallow=True)
    await scene.plan("swallowed")
    await arrived(scene, "swallowed")
    wire.reset()
    wire.trouble()
    await scene.ledger.at_rest(30)

    wire.trouble(reply_cut_after=20)
    await scene.plan("cut short")
    await arrived(scene, "cut short")
    wire.trouble()
    await scene.ledger.at_rest(30)

    wire.trouble(drip=0.02)
    await scene.plan("dripping")
    await asyncio.sleep(4)
    wire.trouble()

    figures = report(await scene.concluded(6))
    assert {state for _, state, _ in await scene.states()} == {"online"}
    assert figures.settled == figures.unknown >= 4


async def arrived(scene: Scene, text: str) -> None:
    """Waits until both platforms have the post, whatever the product heard of it."""
    await scene.sandbox.until(lambda: scene.ledger.times_there([text])[text] >= len(BY_WIRE), 20)


@pytest.mark.rows("F11")
async def test_after_a_429_nobody_calls_before_the_reset_and_no_try_is_used_up(stage: Scenes, report: Report) -> None:
    scene = await stage()
    for _ in range(2):
        scene.started(SOCIAL_TEST_QUOTA_SCALE="1")
    scene.sandbox.trouble(publish=[{"platform": each, "count": 1, "status": 429, "reset_in": 4} for each in PLATFORMS])
    posts = [await scene.plan(f"limited {number}") for number in range(3)]
    assert len(posts) == 3

    figures = await scene.concluded(len(PLATFORMS), 40)

    refused: dict[str, float] = {}
    early = 0
    for call in publishing_calls(scene):
        platform, at = call["platform"], instant(call["at"])
        if call["status"] == 429:
            refused[platform] = at
        elif platform in refused:
            early += at < refused[platform] + 3
    report(figures, early_calls=early)
    assert early == 0
    assert {each["tries"] for each in await scene.ledger.publications()} == {0}
    assert {state for _, state, _ in await scene.states()} == {"online"}


@pytest.mark.rows("F12")
async def test_a_dead_token_is_renewed_once_for_fifty_publications_in_several_instances(
    stage: Scenes, size: Callable[[int, int], int], report: Report
) -> None:
    count = size(15, 50)
    scene = await stage(platforms=("x",))
    for number in range(count):
        await scene.plan(f"old token {number}", at=soon(4))
    before = len(renewals(scene))
    scene.sandbox.trouble(publish={"count": 1, "dead_token": True})
    for _ in range(3):
        scene.started()

    figures = report(await scene.concluded(1, 60), refresh_calls=len(renewals(scene)) - before)
    assert len(renewals(scene)) - before == 1
    assert {state for _, state, _ in await scene.states()} == {"online"}
    assert figures.unknown == 0
    assert all(each["tries"] == 0 for each in await scene.ledger.publications())


@pytest.mark.rows("F12")
async def test_a_revoked_login_holds_what_is_planned_and_asks_the_person_to_connect_again(
    stage: Scenes, report: Report
) -> None:
    scene = await stage(platforms=("mastodon",))
    scene.started()
    scene.sandbox.trouble(all={"dead_token": True})
    await scene.plan("revoked")

    held = await scene.until("held")

    report(await scene.concluded(1))
    assert "onnect" in held["reason"]["text"]
    assert scene.ledger.times_there(["revoked"]) == {"revoked": 0}


def renewals(scene: Scene) -> list[dict[str, Any]]:
    """The calls for a fresh token."""
    return [call for call in scene.sandbox.requests("POST") if call["path"].endswith("/oauth2/token")]


def publishing_calls(scene: Scene) -> list[dict[str, Any]]:
    """The calls that make a post, with their platform."""
    ends = {"/api/v1/statuses": "mastodon", "/x/2/tweets": "x"}
    found = []
    for call in scene.sandbox.requests("POST"):
        method = call["path"].rpartition(".")[2]
        platform = ends.get(call["path"]) or ("bluesky" if method in WRITES else None)
        if platform:
            found.append(call | {"platform": platform})
    return found

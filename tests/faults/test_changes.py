"""People change their minds at every moment: who is told that it was cancelled or changed can rely on it."""

import asyncio
import random
import time
from collections.abc import Callable

import pytest

from tests.faults.conftest import Scenes
from tests.faults.ledger import Figures
from tests.faults.scene import Json, Scene, instant, soon

Report = Callable[..., Figures]
TOGETHER = 12


@pytest.mark.rows("F43")
@pytest.mark.timeout(600)
async def test_what_was_cancelled_or_changed_in_time_never_goes_out_as_it_was_and_else_one_is_told(
    stage: Scenes, size: Callable[[int, int], int], report: Report
) -> None:
    scene, chance = await stage(accounts=TOGETHER, platforms=("mastodon",)), random.Random(43)
    scene.started()
    scene.started()
    outcomes: list[tuple[str, str, bool]] = []
    for turn in range(size(2, 40)):
        posts = [await scene.plan(f"turn {turn} number {number}", number, at=soon(4)) for number in range(TOGETHER)]
        outcomes += await asyncio.gather(*(changed(scene, post, chance) for post in posts))

    rested = await scene.ledger.at_rest(30)
    texts = [text for text, _, _ in outcomes]
    there = scene.ledger.times_there([*texts, *(f"{text}, changed" for text in texts)])
    violations = []
    for text, what, taken in outcomes:
        seen = there[text], there[f"{text}, changed"]
        wanted = {"cancel": (0, 0), "edit": (0, 1)}[what] if taken else (1, 0)
        if seen != wanted:
            violations.append((text, what, taken, seen))
    assert not violations, await scene.states()
    counted = await scene.ledger.counted(len(outcomes))
    counted.lost -= sum(taken for _, what, taken in outcomes if what == "edit")  # they are there with other words
    report(counted, violations=len(violations), rest_s=rested)
    assert {taken for _, _, taken in outcomes} == {True, False}, "all were in time, or none"


async def changed(scene: Scene, post: Json, chance: random.Random) -> tuple[str, str, bool]:
    """Cancels or changes a post about when it is due; its words, what was done, and whether it was taken."""
    publication, text = post["publications"][0], str(post["text"])
    what, moment = chance.choice(["cancel", "edit"]), instant(publication["due_at"]) + chance.uniform(-0.2, 0.3)
    await asyncio.sleep(max(0.0, moment - time.time()))
    if what == "cancel":
        status, said = await scene.tried("DELETE", f"/posts/{post['id']}/plan", params={"revision": post["revision"]})
    else:
        body = {"text": f"{text}, changed", "revision": post["revision"], "accounts": [publication["account_id"]]}
        status, said = await scene.tried("PUT", f"/posts/{post['id']}", json=body)
    assert status in {200, 409}, said
    return text, what, status == 200

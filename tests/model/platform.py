"""The simulated platforms, one per way of settling, with all that a network and a platform may do to one request."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
from aiohttp.payload import BytesPayload

from social.errors import (
    Disconnected,
    OperatorNeeded,
    OutcomeUnknown,
    PlatformError,
    PreparationLost,
    QuotaSpent,
    Rejected,
    RetryLater,
)
from social.platforms.calls import Call
from social.platforms.contract import Content, Identity, Limits, Platform, Prepared, Receipt, Save, Sought, Turn
from social.platforms.guard import Guarded, NotHandedOver
from tests.model.loop import INSTANCE

SETTLES = ("rkey", "key", "handle", "search", "blind")
REPLAY_FOR = timedelta(minutes=50)
LIMITS = Limits(text=500, counted_as="characters", media=4, alt=1000, image_bytes=10**7, image_types=("image/png",))
MAYBE = ("lost before", "lost after", "late", "trouble after")  # what leaves us in doubt


class Nothing(msgspec.Struct):
    """No options."""


@dataclass(eq=False)
class Live:
    """A post that is public, or will be: `at` is when it came to be, on the loop's clock."""

    id: str
    key: str
    text: str
    account: str
    part: int
    answers: str | None  # the part before it: platforms tell whose thread a part is of by that
    at: float
    visible_at: float


@dataclass(eq=False)
class Simulated:
    """The platform's side: what is public, what is still on its way, and what its next answers are."""

    world: Any
    settles: str
    lag: float  # seconds until a look shows a new post
    refuses_duplicates: bool
    live: list[Live] = field(default_factory=list)
    on_the_way: dict[str, int] = field(default_factory=dict)  # by key: requests whose effect may still come
    doubles: set[str] = field(default_factory=set)  # the keys of what it refused because it has these words already

    def of(self, key: str) -> list[Live]:
        """What is public under a key."""
        return [each for each in self.live if each.key == key]

    async def publish(self, call: Call, turn: Turn) -> Receipt:
        """The one request, as `calls.py` would make it: handed over in time or not at all, answered or not."""
        world, instance = self.world, INSTANCE.get()
        await world.step("connect", lambda: None, writes=False, mongo=False)
        if world.faulty(0.06):
            raise RetryLater("It cannot be reached.", answered=False, code="unreachable")
        if world.faulty(0.1):
            await asyncio.sleep(world.dice.uniform(0, 9))  # until the connection is there
        guarded = Guarded(BytesPayload(b"-"), call)
        try:
            guarded._hand_over(Connected)  # type: ignore[arg-type]
        except NotHandedOver:
            raise RetryLater("It was too late.", answered=False, code="too-late") from None
        gap = world.gap(instance)
        what = world.outcome_of_publish(bool(self.of(turn.key) or self.on_the_way.get(turn.key)))
        heard: asyncio.Future[Any] = world.loop.create_future()
        patience = call.patience
        begins = world.loop.now + gap
        took = world.dice.choice((0.05, 0.3, 2.0)) if what != "late" else world.dice.uniform(0.5, 1.3) * patience
        if what in {"lost before", "lost after", "late"}:
            told_at = begins + (patience if world.chance(0.5) else world.dice.uniform(0.05, 1) * patience)
        else:
            told_at = begins + took + world.dice.choice((0.0, 0.1, 3.0))
        told_at = min(told_at, begins + patience)
        world.handed_over(instance, turn, told_at)
        sent = (turn, what, heard, instance, told_at)
        self.on_the_way[turn.key] = self.on_the_way.get(turn.key, 0) + 1
        if gap:
            world.at(begins, lambda: self._leaves(turn, instance, lambda: self._on_its_way(begins + took, *sent)))
        else:
            self._on_its_way(begins + took, *sent)
        answer: Receipt = await heard
        return answer

    def _leaves(self, turn: Turn, instance: Any, then: Callable[[], None]) -> None:
        """What a process that stood still was about to write is written when it goes on, if it ever does."""
        if instance.alive:
            then()
        else:
            self.on_the_way[turn.key] -= 1

    def _on_its_way(self, until: float, turn: Turn, what: str, heard: Any, instance: Any, told_at: float) -> None:
        self.world.at(until, lambda: self._arrives(turn, what, heard, instance, told_at))

    def _arrives(self, turn: Turn, what: str, heard: Any, instance: Any, told_at: float) -> None:
        self.on_the_way[turn.key] -= 1
        answer = self._unknown() if what == "lost before" else self._judged(turn, what)
        if what in MAYBE:
            answer = self._unknown()
        self.world.trace("platform", f"{what} {turn.key[:8]} part {turn.part}: {type(answer).__name__}")
        self.world.at(max(told_at, self.world.loop.now), lambda: self.world.answer(instance, heard, answer))

    def _judged(self, turn: Turn, what: str) -> Receipt | PlatformError:
        """What the platform does with a request that arrived, and answers."""
        until = self.world.now() + timedelta(seconds=self.world.dice.choice((20, 120, 900)))
        refusals: dict[str, Callable[[], PlatformError]] = {
            "quota": lambda: QuotaSpent("Too many.", until=until, code="quota"),
            "rejected": lambda: Rejected("It does not take this.", code="rejected"),
            "busy": lambda: RetryLater("It has trouble right now.", code="trouble"),
            "disconnected": lambda: Disconnected("It does not know us any more.", code="disconnected"),
            "operator": lambda: OperatorNeeded("The app is not approved.", code="operator"),
            "unprepared": lambda: PreparationLost("The media are gone.", code="prepare"),
        }
        if what in refusals:
            return refusals[what]()
        return self.taken(turn)

    def taken(self, turn: Turn) -> Receipt | PlatformError:
        """It makes it public, unless it knows it already in its own way."""
        now, known = self.world.loop.now, self.of(turn.key)
        account = turn.remote_account
        if known and (
            self.settles == "rkey"
            or (self.settles in {"key", "handle"} and now < known[0].at + REPLAY_FOR.total_seconds() + 300)
        ):
            return Receipt(id=known[0].id)
        if self.refuses_duplicates and any(
            each.text == turn.text and each.account == account and now - each.at < 3600 for each in self.live
        ):
            self.doubles.add(turn.key)
            return Rejected("Status is a duplicate.", code="duplicate")
        live = Live(
            id=f"p{len(self.live) + 1}",
            key=turn.key,
            text=turn.text,
            account=account,
            part=turn.part,
            answers=answered(turn),
            at=now,
            visible_at=now + self.lag,
        )
        self.live.append(live)
        self.world.went_live(live)
        return Receipt(id=live.id)

    async def find(self, call: Call, sought: Sought) -> Receipt | None:
        """What a look shows: by its key where the platform has such a thing, else by its words among others."""
        world = self.world
        await world.step("look", lambda: None, writes=False, mongo=False)
        if world.faulty(0.08):
            raise world.dice.choice(
                (
                    RetryLater("It does not answer."),
                    QuotaSpent("Too many.", until=world.now() + timedelta(seconds=60)),
                )
            )
        now = world.loop.now
        if self.settles == "rkey":
            found = self.of(sought.key)
        elif self.settles == "handle":
            found = [each for each in self.of(sought.key) if each.visible_at <= now]
        else:
            since = sought.first_sent_at - timedelta(seconds=1)
            found = [
                each
                for each in self.live
                if each.text == sought.text
                and each.account == sought.remote_account
                and each.answers == answered(sought)
                and each.visible_at <= now
                and each.id not in sought.known
                and world.instant(each.at) >= since
            ]
        receipt = Receipt(id=found[0].id, evidence="lookup") if found and self.settles != "blind" else None
        if world.chance(0.3):
            await world.step("seen", lambda: None, writes=False, mongo=False)
        return receipt

    @staticmethod
    def _unknown() -> PlatformError:
        return OutcomeUnknown("It did not say what became of it.", code="no-answer")


def answered(turn: Turn) -> str | None:
    """The id of the part that the one whose turn it is answers; None for a first one."""
    return turn.before[-1].id if turn.before else None


class _Transport:
    def is_closing(self) -> bool:
        """Never."""
        return False


class Connected:
    """A writer whose connection is there."""

    transport = _Transport()


async def _publish(call: Call, turn: Turn) -> Receipt:
    receipt: Receipt = await INSTANCE.get().world.platform.publish(call, turn)
    return receipt


async def _find(call: Call, sought: Sought) -> Receipt | None:
    found: Receipt | None = await INSTANCE.get().world.platform.find(call, sought)
    return found


async def _prepare(call: Call, content: Content, prepared: Prepared, save: Save) -> Prepared:
    world = INSTANCE.get().world
    for number in range(len(prepared.media), len(content.files)):
        await world.step("upload", lambda: None, writes=False, mongo=False)
        if world.faulty(0.1):
            raise RetryLater("The upload broke off.")
        prepared = Prepared(media=(*prepared.media, f"m{number}"))
        await save(prepared)
    return prepared


async def _ready(call: Call, prepared: Prepared) -> Prepared | None:
    world = INSTANCE.get().world
    await world.step("ready", lambda: None, writes=False, mongo=False)
    return None if world.faulty(0.2) else prepared


async def _identify(call: Call) -> Identity:
    raise NotImplementedError


def platforms() -> dict[str, Platform]:
    """One platform per way of settling, by name."""
    return {
        f"model-{settles}": Platform(
            name=f"model-{settles}",
            title=settles,
            limits=LIMITS,
            settles=settles,  # type: ignore[arg-type]
            host="model.example",
            replay_for=REPLAY_FOR if settles in {"key", "handle"} else timedelta(),
            options=Nothing,
            identify=_identify,
            prepare=_prepare,
            ready=_ready,
            publish=_publish,
            find=_find,
        )
        for settles in SETTLES
    }

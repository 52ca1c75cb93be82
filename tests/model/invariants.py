"""What must hold at every step and in the end: section 6 of the protocol, as far as one world can show it.

Checked where something changes: each write to a publication, a lane or an attempt, each request that is handed over,
each post that becomes public. The world's own knowledge (what is public, what is on its way) is what the product cannot
see; nothing here asks the product what it believes.
"""

from datetime import datetime, timedelta
from typing import Any

from social.platforms.contract import Turn
from social.publishing.states import CLAIMABLE, FINAL, State
from tests.model.schedule import START
from tests.model.values import Json

ENDED = {str(state) for state in FINAL}
DEAD = {"failed", "cancelled", "missed"}
REST = ENDED | {"held"}
OWN = {"waiting", "failed", "held", "queued", "planned", "prepared", "preparing", "missed", "cancelled"}
WAITS = {str(state) for state in (*CLAIMABLE, State.PREPARING, State.UNCONFIRMED)}
KEY_LIVES = 50 * 60 + 60.0
APART = timedelta(seconds=5)
LATE = {"planned", "prepared", "waiting", "queued", "preparing"}
COSTS_NOTHING = {"quota", "unreachable"}


class Invariants:
    """Of one world. `broken` lists what did not hold, in the order it was seen."""

    def __init__(self, world: Any) -> None:
        self.broken: list[str] = []
        self.publications: dict[Any, Json] = {}
        self.lanes: dict[Any, Json] = {}
        self.tellings: dict[Any, Json] = {}
        self.facts: list[Json] = []
        self.told: dict[str, list[tuple[datetime, str]]] = {}  # what a browser may know by now, by publication
        self.keys: dict[str, tuple[Any, int, int]] = {}
        self.firsts: dict[str, float] = {}  # when a key was first used
        self.handed: dict[tuple[str, int], int] = {}  # requests by key and attempt
        self._world = world

    def all_ended(self) -> bool:
        """Whether nothing is left that goes on by itself: all is final, or a person's."""
        return not self.tellings and all(each["state"] in REST for each in self.publications.values())

    def awaited(self) -> list[float]:
        """The instants, on the loop's clock, at which something is to be looked at."""
        found = []
        for each in self.publications.values():
            if each["state"] in REST:
                continue
            work = each.get("work")
            instants = [each["next_at"] if each["state"] in WAITS else None, each["prepare_at"]]
            instants += [work["lease_until"] if work else None, each["deadline"] if _may_pass(each) else None]
            if each["state"] in {"queued", "sending"}:
                found.append(_seconds(each["updated_at"]) + 2 * self._world.times.lease + 1)
            found += [_seconds(instant) for instant in instants if instant is not None]
        found += [_seconds(each["at"]) + 2 * self._world.times.lease + 1 for each in self.tellings.values()]
        found += [_seconds(each["lease_until"]) for each in self.lanes.values() if each["token"]]
        return found

    def due(self, before: datetime) -> bool:
        """Whether a look would see anything to be done."""
        for each in self.publications.values():
            state = each["state"]
            if state in REST:
                continue
            if _may_pass(each) and each["deadline"] is not None and each["deadline"] <= before:
                return True
            if state in {"queued", "sending"} or (each["prepare_at"] is not None and each["prepare_at"] <= before):
                return True
            if state in WAITS and each["next_at"] is not None and each["next_at"] <= before:
                return True
        if self.tellings:
            return True
        return any(each["token"] and each["lease_until"] <= before for each in self.lanes.values())

    def states(self) -> str:
        """Where everything is, in words."""
        return ", ".join(f"{str(id)[-1]} {each['state']}" for id, each in self.publications.items())

    # As it happens.

    def changed(self, name: str, before: Json | None, after: Json | None) -> None:
        """A document was written."""
        if name == "publications":
            self._publication(before, after)
        elif name == "tellings":
            self._telling(before, after)
        elif name == "lanes" and after is not None:
            self._lane(before, after)
        elif name == "attempts" and after is not None and after.get("receipt"):
            if before is None:
                self.facts.append(after)
        elif name == "outbox" and before is None and after is not None and after.get("publication_id"):
            self._told(after["publication_id"], after["data"])

    def _telling(self, before: Json | None, after: Json | None) -> None:
        if after is None:
            self.tellings.pop(before["_id"] if before else None, None)
        else:
            self.tellings[after["_id"]] = after

    def _told(self, id: str, news: Json) -> None:
        """A browser leaves what it knows to be older alone; instances' ideas of the time are a little apart."""
        at = datetime.fromisoformat(news["updated_at"])
        known = [each for each in self.told.get(id, ()) if each[0] > at - APART]
        self.told[id] = [*known, (at, news["state"])]

    def handed_over(self, instance: Any, turn: Turn) -> None:
        """A request was written: at this instant its intent must stand, written by this process."""
        world = self._world
        found = self.keys.get(turn.key)
        publication = self.publications.get(found[0]) if found else None
        if publication is None:
            self._break("I6", f"a request under a key that no publication has: {turn.key}")
            return
        if not world.schedule.gap and not self._just_heard_of(publication, turn.key):
            if publication["state"] != "sending" or publication["key"] != turn.key:
                self._break("I6", f"sent although it is {publication['state']}")
            elif (publication["owner"] or {}).get("pid") != instance.pid:
                self._break("I6", f"sent by {instance} although it is {publication['owner']}'s")
        self._repeated(publication, turn.key)
        if world.holding and not world.schedule.gap:
            self._break("I12", "sent although everything is held")
        attempt = (turn.key, publication["attempt_no"])
        self.handed[attempt] = self.handed.get(attempt, 0) + 1
        if self.handed[attempt] > 1 and not world.schedule.gap:
            self._break("I6", f"two requests under one intent: attempt {publication['attempt_no']}")
        if world.now() < publication["due_at"]:
            self._break("I5", f"sent at {world.now()}, due at {publication['due_at']}")
        if turn.part != len(turn.before):
            self._break("I11", f"part {turn.part} follows {len(turn.before)} receipts")
        for part in range(turn.part):
            if not self._live(publication, part):
                self._break("I11", f"part {turn.part} is sent before part {part} is online")
        if publication["part"] != turn.part and not world.schedule.gap:
            self._break("I11", f"part {turn.part} is sent, part {publication['part']}'s turn it is")

    def _repeated(self, publication: Json, key: str) -> None:
        """What is in doubt goes out again only where the platform will know it."""
        world = self._world
        first = self.firsts.setdefault(key, world.loop.now)
        if not publication["ambiguous"] or world.schedule.gap:
            return
        if not self._known_again(key):
            self._break("I1", f"sent again in doubt, {world.loop.now - first:.0f} s after the first time")

    def _just_heard_of(self, publication: Json, key: str) -> bool:
        """Whether a repeat's connection took its time, and somebody who had stood still has brought the first one's
        receipt meanwhile: the platform knows the repeat by its key."""
        return publication["state"] == "online" and publication["attempt_no"] > 1 and self._known_again(key)

    def _known_again(self, key: str) -> bool:
        world = self._world
        settles, age = world.schedule.settles, world.loop.now - self.firsts.get(key, world.loop.now)
        return settles == "rkey" or (settles in {"key", "handle"} and age <= KEY_LIVES)

    def went_live(self, live: Any) -> None:
        """A post became public: the only one of its words, as far as they were meant once."""
        found = self.keys.get(live.key)
        if found is None:
            return
        mine = [each for each in self._world.platform.live if each.part == live.part and self._whose(each) == found[0]]
        if len(mine) > 1 and not self._swapped(self.publications.get(found[0])):
            self._break("I1", f"{len(mine)} public posts of part {live.part}: {[each.text for each in mine]}")
        mates = [each for each in self._world.platform.live if each.text == live.text]
        meant = self._meant(live.text)
        if len(mates) > meant:
            self._break("I1", f"{len(mates)} public posts of {live.text!r}, meant {meant} times")
        publication = self.publications.get(found[0])
        if publication is not None and publication["state"] in DEAD:
            self._break("I3", f"it went live although it is {publication['state']}")

    def _whose(self, live: Any) -> Any:
        return self.keys[live.key][0] if live.key in self.keys else None

    def _meant(self, text: str) -> int:
        """How many public posts of these words there may be."""
        return sum(text in words for words in self._world.words.values())

    def _publication(self, before: Json | None, after: Json | None) -> None:
        if after is None:
            self.publications.pop(before["_id"] if before else None, None)
            return
        self.publications[after["_id"]] = after
        self.keys[after["key"]] = (after["_id"], after["rev"], after["part"])
        self._remember_words(after)
        if before is None:
            return
        old, new = before["state"], after["state"]
        self._counts(before, after)
        if new == "sending" and old != "sending":
            self._armed(before, after)
        if old == "sending" and new in OWN and len(after["receipts"]) == len(before["receipts"]):
            actor = self._world.actor
            if actor is not None and (before["owner"] or {}).get("pid") != actor.pid:
                self._break("I7", f"{actor} makes it {new} while {before['owner']} sends it")
        if old in ENDED and new != old and not self._by_a_person():
            self._break("I7", f"it was {old} and is {new}")
        if before["ambiguous"] and not after["ambiguous"] and not self._by_a_person():
            self._doubt_ended(before, after)
        if new in DEAD and old not in DEAD:
            self._nothing_public(after)
        if new == "online" and old != "online":
            self._all_public(after)
        if new in COSTS_NOTHING and after["tries"] > before["tries"]:
            self._break("I10", "it cost a try")
        reason = (after["reason"] or {}).get("code")
        if new != old and reason in COSTS_NOTHING and after["tries"] > before["tries"]:
            self._break("I10", f"{reason} cost a try")
        self._wake_for(before, after)

    def _remember_words(self, after: Json) -> None:
        content = after["content"]
        parts = [content["text"], *(part["text"] for part in content["thread"])]
        known = self._world.words.get(after["_id"])
        if known is None or not set(parts) <= known:
            self._world.words[after["_id"]] = {*(known or ()), *parts}

    def _counts(self, before: Json, after: Json) -> None:
        for name in ("fence", "rev", "attempt_no"):
            if after[name] < before[name]:
                self._break("I7", f"{name} fell from {before[name]} to {after[name]}")
        if after["token"] and after["token"] != before["token"] and after["fence"] <= before["fence"]:
            self._break("I7", "another claim without a higher fence")
        if len(after["receipts"]) < len(before["receipts"]):
            self._break("I8", "a receipt is gone")

    def _armed(self, before: Json, after: Json) -> None:
        now = self._world.now()
        if before["state"] != "queued" or after["attempt_no"] != before["attempt_no"] + 1:
            self._break("I6", f"armed from {before['state']}")
        if now < after["due_at"]:
            self._break("I5", f"armed at {now}, due at {after['due_at']}")
        if after["deadline"] is not None and now >= after["deadline"] and not after["part"]:
            self._break("I5", f"armed at {now}, after its deadline {after['deadline']}")
        if after["token"] is None:
            self._break("I6", "armed without a claim")

    def _doubt_ended(self, before: Json, after: Json) -> None:
        """Only a proof ends it: a receipt, or that nothing of it is public nor can become so."""
        if len(after["receipts"]) > len(before["receipts"]) or self._world.schedule.gap:
            return
        platform = self._world.platform
        if platform.of(before["key"]) and not self._swapped(before):
            self._break("I9", f"no doubt any more, but it is public (it becomes {after['state']})")
        elif platform.on_the_way.get(before["key"]):
            self._break("I9", "no doubt any more, but a request is still on its way")

    def _nothing_public(self, after: Json) -> None:
        platform = self._world.platform
        for key, (id, _, _) in self.keys.items():
            if id != after["_id"] or self._world.schedule.gap:
                continue
            if platform.of(key) and not self._swapped(after):
                self._break("I3", f"{after['state']}, but it is public")
            elif platform.on_the_way.get(key) and after["state"] == "failed":
                self._break("I3", f"{after['state']}, but a request is on its way")

    def _all_public(self, after: Json) -> None:
        ids = {each.id for each in self._world.platform.live}
        for part, receipt in enumerate(after["receipts"]):
            if receipt["evidence"] == "person":
                continue
            if receipt["id"] not in ids:
                self._break("I2", f"online without a public post for part {part}")
        if not after["receipts"]:
            self._break("I2", "online without a receipt")

    def _live(self, publication: Json, part: int) -> bool:
        keys = [key for key, (id, _, of) in self.keys.items() if id == publication["_id"] and of == part]
        return any(self._world.platform.of(key) for key in keys) or self._swapped(publication)

    def _swapped(self, publication: Json | None) -> bool:
        """Whether another publication has the same words, so that the two may have changed places."""
        if publication is None:
            return False
        return sum(publication["content"]["text"] in words for words in self._world.words.values()) > 1

    def _lane(self, before: Json | None, after: Json) -> None:
        self.lanes[after["_id"]] = after
        if before is None:
            return
        if after["fence"] < before["fence"]:
            self._break("I7", "a lane's fence fell")
        now = self._world.now()
        if after["token"] and after["token"] != before["token"]:
            if after["fence"] <= before["fence"]:
                self._break("I7", "a lane was taken without a higher fence")
            if before["token"] and before["lease_until"] > now:
                self._break("I7", "a lane was taken from somebody whose lease holds")
        if after["token"]:
            self._world.wake(_seconds(after["lease_until"]) + 0.1 + self._world.dice.random())

    def _wake_for(self, before: Json, after: Json) -> None:
        next_at = after["next_at"]
        world = self._world
        if next_at is not None and after["state"] in WAITS and (next_at != before["next_at"]):
            ahead = world.dice.choice((0.0, 0.3, world.times.look_ahead))
            world.wake(_seconds(next_at) - ahead + world.dice.choice((0.0, 0.2, 1.0)))
        if after["prepare_at"] is not None and after["prepare_at"] != before["prepare_at"]:
            world.wake(_seconds(after["prepare_at"]) + 0.1)

    def _by_a_person(self) -> bool:
        return bool(self._world.by_person)

    # In the end.

    def in_the_end(self) -> None:
        """When everything has come to rest: nothing is forgotten, and what is said is so."""
        world = self._world
        for id, each in self.publications.items():
            state = each["state"]
            if state not in REST:
                self._break("I4", f"{str(id)[-1]} is {state} for ever (next {each['next_at']}, {each['reason']})")
            if state == "held":
                self._held(each)
            known = [told for _, told in self.told.get(str(id), ())]
            if self._clocks_agree() and state in REST and known and state not in known:
                self._break("I14", f"{str(id)[-1]} is {state}, but browsers are left with {' or '.join(known)}")
        for fact in self.facts:
            self._kept(fact)
        ids = [each["id"] for found in self.publications.values() for each in found["receipts"] if each["id"]]
        if len(set(ids)) < len(ids):
            self._break("I2", f"one public post stands for two publications: {ids}")
        for live in world.platform.live:
            self._known_of(live)
        if self.broken:
            raise world.violation(self.broken[0])

    def _clocks_agree(self) -> bool:
        """Whether what is told can be put in order: each writes down its own idea of the time."""
        return not self._world.schedule.skewed and not self._world.schedule.pauses

    def _held(self, each: Json) -> None:
        """A person is asked what a look cannot show, or what the platform says itself and a look does not show."""
        code = (each["reason"] or {}).get("code")
        platform = self._world.platform
        if code != "unknown" or platform.settles == "blind" or self._said_of_its_words(each):
            return
        if each["key"] not in platform.doubles:
            self._break("I4", "a person is asked although the platform could be")
        elif platform.of(each["key"]) and not self._swapped(each):
            self._break("I4", "a person is asked although a look would have shown it")

    def _said_of_its_words(self, publication: Json) -> bool:
        """Whether a person has said that another of the same words is there, and so not which of them it is."""
        others = (each for id, each in self.publications.items() if id != publication["_id"])
        return any(
            receipt["evidence"] == "person" and each["content"]["text"] == publication["content"]["text"]
            for each in others
            for receipt in each["receipts"]
        )

    def _kept(self, fact: Json) -> None:
        publication = self.publications.get(fact["publication_id"])
        if publication is None or publication["rev"] != fact["rev"]:
            return
        if any(receipt["evidence"] == "person" for receipt in publication["receipts"]):
            return  # a person was asked before the fact was found
        ids = {receipt["id"] for receipt in publication["receipts"]}
        if fact["receipt"]["id"] not in ids and not self._swapped(publication):
            self._break("I8", f"the receipt of part {fact['part']} is lost, it is {publication['state']}")

    def _known_of(self, live: Any) -> None:
        id, _, part = self.keys[live.key]
        publication = self.publications.get(id)
        if publication is None or self._swapped(publication):
            return
        unheld = publication["state"] == "held" and publication["ambiguous"]
        if len(publication["receipts"]) <= part and not unheld:
            self._break("I3", f"part {part} is public, but it is {publication['state']}")

    def _break(self, name: str, what: str) -> None:
        self.broken.append(f"{name}: {what}")
        self._world.trace("broken", self.broken[-1])


def _may_pass(publication: Json) -> bool:
    """Whether nothing of it is going out or may be online, so that its deadline ends it."""
    return publication["state"] in LATE and not publication["ambiguous"] and not publication["receipts"]


def _seconds(instant: datetime) -> float:
    return (instant - START).total_seconds()

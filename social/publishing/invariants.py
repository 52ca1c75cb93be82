"""What must hold in the running system, each as a query for what breaks it; section 6 of the protocol.

What takes its time is no violation: each has a bound that a healthy engine keeps on a bad day.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from bson import ObjectId
from pymongo import DESCENDING

from social.accounts.documents import Account
from social.backing.owner import Owner
from social.outbox.documents import BY_THE_SERVER, FIRST_ID, Relay, Row
from social.publishing.attempts import Attempt
from social.publishing.documents import Publication, in_states
from social.publishing.facts import Json
from social.publishing.findings import Finding
from social.publishing.holds import HELD, Hold
from social.publishing.lanes import Lane
from social.publishing.states import AHEAD, CLAIMABLE, OPEN, TAKEN, State
from social.settings import Times

MOST = 50  # of one kind that are told of; where so many are wrong, one more says nothing new
FIRST = 2_000  # of a long line that are looked at
RECENT = timedelta(hours=1)  # what was concluded longer ago has been looked at
NUMBERS = 200  # of a workspace's events whose row is looked at for gaps
QUIET = timedelta(days=6)  # events older than that are about to be removed for their age
NUMBERED_IN = timedelta(seconds=10)  # a relay takes a second
WHOSE = {"workspace_id": 1, "state": 1}


class Violation(NamedTuple):
    """Something that must not be: which invariant, where, and what that means to people."""

    invariant: str
    subject: str
    text: str
    workspace_id: ObjectId | None = None
    publication_id: ObjectId | None = None

    @property
    def key(self) -> str:
        """The same for the same thing."""
        return f"{self.invariant}:{self.subject}"


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """When it is looked (UTC, the database's clock), by which times the engine runs, and by whom."""

    at: datetime
    times: Times
    seen_from: Owner

    def before(self, *names: str) -> datetime:
        """The instant that lies the sum of these of the protocol's times before `at`."""
        return self.at - sum((self.times.timedelta(name) for name in names), timedelta())


async def nobody_looks(watched: Watched) -> list[Violation]:
    """I4: what is not final and asks nobody has an instant at which it is looked at again."""
    text = "A post was left without anybody who will look at it again. Plan it anew, and report this."
    found: list[Violation] = []
    for states in (AHEAD, TAKEN, (State.UNCONFIRMED,)):
        found += await _those("nobody_looks", {"state": {"$in": list(states)}, "next_at": None}, text)
    return found


async def overdue_on_a_free_lane(watched: Watched) -> list[Violation]:
    """I4, I13: what is due goes out within a bound where nobody is at work on its account."""
    due = in_states(CLAIMABLE, AHEAD) | {
        "next_at": {"$lt": watched.before("overdue"), "$type": "date"},
        "prepare_at": None,
    }
    stages: list[Json] = [
        {"$match": due},
        {"$sort": {"next_at": 1}},
        {"$limit": FIRST},
        {"$group": {"_id": "$account_id", "first": {"$first": "$_id"}, "workspace_id": {"$first": "$workspace_id"}}},
        *_lane("_id"),
        {
            "$match": {
                "lane.holds.0": {"$exists": False},
                "$or": [{"lane.token": None}, {"lane.lease_until": {"$lt": watched.before("overdue")}}],
            }
        },
        {"$limit": MOST},
    ]
    text = "A post is overdue although nothing else goes out on its account. Is an instance with the clock running?"
    return [
        Violation("overdue", str(each["first"]), text, each["workspace_id"], each["first"])
        async for each in await Publication.engine().aggregate(stages)
    ]


async def never_prepared(watched: Watched) -> list[Violation]:
    """I4: what is due is prepared by then, or somebody is at it."""
    late = watched.before("overdue")
    waits = {
        "prepare_at": {"$lt": late, "$type": "date"},
        "state": {"$in": [State.PLANNED, State.WAITING, State.PREPARING]},
        "due_at": {"$lt": late},
        "$or": [{"work": None}, {"work.lease_until": {"$lt": late}}],
    }
    text = (
        "A post's files should have been prepared long ago, and nobody is at it. Is an instance with the clock running?"
    )
    return await _those("never_prepared", waits, text)


async def never_concluded(watched: Watched) -> list[Violation]:
    """I4: what was armed is concluded, or doubted when its lane's lease has run out."""
    armed = in_states([State.SENDING], TAKEN) | {
        "next_at": {"$lt": watched.at, "$type": "date"},
        "sent_at": {"$lt": watched.before("lease", "http_timeout", "margin")},
    }
    text = "A post was being sent when its process ended, and nobody has looked since whether it went out."
    return await _those("never_concluded", armed, text)


async def left_in_line(watched: Watched) -> list[Violation]:
    """I4: what a claim has queued goes out, or is taken from it when it has lost the lane."""
    old = watched.before("lease", "lease", "overdue")
    queued = in_states([State.QUEUED], TAKEN) | {"next_at": {"$lt": old, "$type": "date"}, "updated_at": {"$lt": old}}
    stages: list[Json] = [
        {"$match": queued},
        {"$limit": FIRST},
        *_lane("account_id"),
        {"$match": {"$expr": {"$ne": ["$token", {"$ifNull": ["$lane.token", None]}]}}},
        {"$limit": MOST},
        {"$project": WHOSE},
    ]
    text = "A post was in line to go out when its process ended, and nobody has taken it over."
    return [
        _violation("left_in_line", each, text) async for each in await Publication.engine().aggregate(stages)
    ]  # fmt: skip


async def two_senders(watched: Watched) -> list[Violation]:
    """I6, I7: one process at a time sends on an account. Whose lease ran out ended its sends long before."""
    stages: list[Json] = [
        {"$match": in_states([State.SENDING], TAKEN) | {"next_at": {"$type": "date"}}},
        {"$limit": FIRST},
        {
            "$group": {
                "_id": "$account_id",
                "workspace_id": {"$first": "$workspace_id"},
                "tokens": {"$addToSet": "$token"},
                "sent": {"$push": {"token": "$token", "at": "$sent_at", "owner": "$owner"}},
            }
        },
        {"$match": {"tokens.1": {"$exists": True}}},
    ]
    text = "Two processes were sending on one account at the same time. Look at the profile for posts that came twice."
    return [
        Violation("two_senders", str(each["_id"]), text, each["workspace_id"])
        async for each in await Publication.engine().aggregate(stages)
        if _at_once(each["sent"], watched)
    ]


async def never_settled(watched: Watched) -> list[Violation]:
    """I4: what is in doubt is looked for when its time has come."""
    late = watched.before("overdue")
    doubted = {
        "state": State.UNCONFIRMED,
        "next_at": {"$lt": late, "$type": "date"},
        "$or": [{"work": None}, {"work.lease_until": {"$lt": late}}],
    }
    text = "Nobody has checked for long whether a post went out. Is an instance with the clock running?"
    return await _those("never_settled", doubted, text)


async def online_without_proof(watched: Watched) -> list[Violation]:
    """I2: what is online has the platform's id, or evidence."""
    unproven = {"state": State.ONLINE, "receipts": [], "due_at": {"$type": "date"}}
    return await _those("unproven", unproven, "A post is called online and nothing proves it. Look at the profile.")


async def too_many_receipts(watched: Watched) -> list[Violation]:
    """I1: at most one receipt for each part."""
    several = {
        "answered_at": {"$gt": watched.at - RECENT, "$type": "date"},
        "receipts.1": {"$exists": True},
        "$expr": {"$gt": [{"$size": "$receipts"}, {"$add": [1, {"$size": {"$ifNull": ["$content.thread", []]}}]}]},
    }
    text = "A post has gone out in more parts than it has. Look at the profile for parts that came twice."
    return await _those("too_many_receipts", several, text)


async def sent_twice(watched: Watched) -> list[Violation]:
    """I1, I8: all receipts of one part of one revision name the same post, apart from those whose post stands for
    another publication by now (`findings.py`)."""
    further = {"n": {"$gt": 1}, "answered_at": {"$gt": watched.at - RECENT}, "receipt.id": {"$gt": ""}}
    part = {"publication": "$publication_id", "rev": "$rev", "part": "$part"}
    same = [{"$eq": [f"${name}", f"$$its_{name}"]} for name in ("rev", "part")]
    stages: list[Json] = [
        {"$match": further},
        {"$sort": {"answered_at": -1}},
        {"$limit": FIRST},
        {"$group": {"_id": part, "workspace_id": {"$first": "$workspace_id"}}},
        {
            "$lookup": {
                "from": Attempt.get_pymongo_collection().name,
                "localField": "_id.publication",
                "foreignField": "publication_id",
                "let": {"its_rev": "$_id.rev", "its_part": "$_id.part"},
                "pipeline": [
                    {"$match": {"receipt.id": {"$gt": ""}, "$expr": {"$and": same}}},
                    {"$group": {"_id": "$receipt.id"}},
                ],
                "as": "posts",
            }
        },
        {"$match": {"posts.1": {"$exists": True}}},
        {"$limit": MOST},
    ]
    text = "A post went out twice. Look at the profile and delete one of them."
    several = [each async for each in await Attempt.get_pymongo_collection().aggregate(stages)]
    return [
        Violation("sent_twice", str(each["_id"]["publication"]), text, each["workspace_id"], each["_id"]["publication"])
        for each in several
        if await _own(each["_id"]["publication"], [post["_id"] for post in each["posts"]]) > 1
    ]


async def past_its_deadline(watched: Watched) -> list[Violation]:
    """I5: what is too late is missed, or asks, and is never sent for the first time."""
    waits = in_states((*CLAIMABLE, State.PREPARING, State.QUEUED), OPEN) | {
        "deadline": {"$lt": watched.before("overdue"), "$type": "date"},
        "ambiguous": False,
        "receipts.0": {"$exists": False},
    }
    text = "A post should have been given up for being too late, and still waits."
    return await _those("past_its_deadline", waits, text)


async def sent_out_of_time(watched: Watched) -> list[Violation]:
    """I5: no send before the due instant, nor after the deadline."""
    early = {"$lt": ["$sent_at", "$due_at"]}
    late = {"$and": [{"$not": {"$gt": ["$part", 0]}}, "$deadline", {"$gt": ["$first_sent_at", "$deadline"]}]}
    armed = in_states([State.SENDING], TAKEN) | {
        "next_at": {"$type": "date"},
        "sent_at": {"$type": "date"},
        "$expr": {"$or": [early, late]},
    }
    return await _those("sent_out_of_time", armed, "A post is being sent before its time, or after its deadline.")


async def holds_are_kept(watched: Watched) -> list[Violation]:
    """I12: nobody has a lane that is held, and what is sent on it was sent before the hold was acknowledged."""
    text = "Something is being sent although everything there is held."
    found = [
        Violation("hold_broken", str(lane["_id"]), text)
        async for lane in Lane.engine().find(HELD | {"token": {"$type": "string"}}, {"_id": 1}).limit(MOST)
    ]
    async for made in Hold.get_pymongo_collection().find({"_id": {"$gt": FIRST_ID}}).limit(MOST):
        lanes = Lane.engine().find(HELD | {"holds": made["_id"]}, {"_id": 1}).limit(FIRST)
        accounts = [lane["_id"] async for lane in lanes]
        after = made["at"] + watched.times.timedelta("lease")
        sent = {"account_id": {"$in": accounts}, "sent_at": {"$gt": after}} | in_states([State.SENDING], OPEN)
        found += await _those("hold_broken", sent, text)
    return found


async def events_are_numbered(watched: Watched) -> list[Violation]:
    """I14: what happened is told within seconds."""
    stages: list[Json] = [
        {"$match": {"workspace_id": {"$gt": FIRST_ID}, "unnumbered": {"$gt": BY_THE_SERVER}}},
        {"$sort": {"workspace_id": 1, "unnumbered": 1}},
        {"$group": {"_id": "$workspace_id", "since": {"$first": "$unnumbered"}}},
        {"$sort": {"since": 1}},
        {"$limit": MOST},
    ]
    text = "What happens is not told to anybody. Is an instance running whose relay gets through?"
    return [
        Violation("events_waiting", str(each["_id"]), text, each["_id"])
        async for each in await Row.get_pymongo_collection().aggregate(stages)
        if each["since"].as_datetime() < watched.at - NUMBERED_IN
    ]


async def events_have_no_gaps(watched: Watched) -> list[Violation]:
    """I14: the numbers of a workspace's events follow one another."""
    rows = Row.get_pymongo_collection()
    lately: list[Json] = [
        {"$match": {"at": {"$gt": watched.at - timedelta(minutes=1)}}},
        {"$limit": FIRST},
        {"$group": {"_id": "$workspace_id"}},
        {"$limit": MOST},
    ]
    workspaces = [each["_id"] async for each in await rows.aggregate(lately)]
    last_seqs = await Relay.last_seqs(workspaces)
    found: list[Violation] = []
    for workspace, last in last_seqs.items():
        told = {"workspace_id": workspace, "seq": {"$gt": last - NUMBERS, "$lte": last}}
        newest = rows.find(told, {"seq": 1, "at": 1}).sort("seq", DESCENDING)
        numbers = [row["seq"] async for row in newest if row["at"] > watched.at - QUIET]
        if numbers and numbers != list(range(last, last - len(numbers), -1)):
            text = "An event was lost: what is shown live may be wrong until the page is read anew."
            found.append(Violation("events_lost", str(workspace), text, workspace))
    return found


INVARIANTS: Sequence[Callable[[Watched], Awaitable[list[Violation]]]] = (
    nobody_looks,
    overdue_on_a_free_lane,
    never_prepared,
    never_concluded,
    left_in_line,
    two_senders,
    never_settled,
    online_without_proof,
    too_many_receipts,
    sent_twice,
    past_its_deadline,
    sent_out_of_time,
    holds_are_kept,
    events_are_numbered,
    events_have_no_gaps,
)


async def _own(publication_id: ObjectId, posts: Sequence[str]) -> int:
    """How many of these posts stand for no other publication."""
    whose = await Publication.engine().find_one({"_id": publication_id}, {"account_id": 1})
    account = await Account.get(whose["account_id"]) if whose else None
    return len(posts) - (await Finding.of_others(publication_id, posts, account) if account else 0)


async def _those(invariant: str, which: Json, text: str) -> list[Violation]:
    found = Publication.engine().find(which, WHOSE).limit(MOST)
    return [_violation(invariant, each, text) async for each in found]


def _violation(invariant: str, found: Json, text: str) -> Violation:
    return Violation(invariant, str(found["_id"]), text, found["workspace_id"], found["_id"])


def _lane(account: str) -> Sequence[Json]:
    """The stages that join the lane of `account`; there may be none."""
    join: Json = {"from": Lane.engine().name, "localField": account, "foreignField": "_id", "as": "lane"}
    return {"$lookup": join}, {"$set": {"lane": {"$first": "$lane"}}}


def _at_once(sent: Sequence[Json], watched: Watched) -> bool:
    """Whether two of different claims were sent so close to each other that both could be on the wire.

    Nothing waits for a dead process's lease on its own host: then they may be close, and the former was cut off.
    """
    far = watched.times.timedelta("http_timeout")
    for one in sent:
        for other in sent:
            if one["token"] != other["token"] and one["at"] <= other["at"] < one["at"] + far:
                was, present = (Owner(**each["owner"]) if each["owner"] else None for each in (one, other))
                if was is None or present is None or was == present or was.host != present.host:
                    return True
                if was.host == watched.seen_from.host and not was.proven_dead(watched.seen_from):
                    return True
    return False

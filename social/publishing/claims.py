"""A claim: the lanes that one look took, under one token, and all that is written under it.

Its lanes work side by side and each reads as if it were alone; what they ask of Mongo travels together. Conditions stay
each publication's own: a batch that does not match as a whole is carried out one by one.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeAlias

import bson
import structlog
from bson import ObjectId
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import PyMongoError

from social.accounts.documents import Account
from social.backing import Backing
from social.backing.mongo import AWARE, insist
from social.errors import QuotaSpent, RetryLater
from social.moments import steady
from social.outbox.bus import Bus
from social.outbox.documents import announce
from social.people.reading import readable
from social.publishing import gate, lateness
from social.publishing.arming import AS_IT_WAS, arm, kept, stamp
from social.publishing.attempts import Attempt
from social.publishing.conclusions import Conclusion, concluded_one_by_one, concluded_together, logged
from social.publishing.documents import Publication, in_states
from social.publishing.facts import InHand, Json
from social.publishing.gate import Attempted, Sending
from social.publishing.lanes import Lane
from social.publishing.shown import row
from social.publishing.states import AHEAD, CLAIMABLE, TAKEN, State
from social.publishing.tellings import Telling
from social.publishing.together import Together
from social.settings import Times

log = structlog.get_logger()
RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)
READ_AHEAD = 4_000  # publications that a claim has read and not begun, over all its lanes
ACCOUNT = b"\x07account_id\x00"  # how the field begins in BSON: its type, an ObjectId, and its name
LINE = 50  # of them on one lane
ARMS = 200  # publications in one write
CONCLUSIONS = 160
GATHER = 0.01  # seconds for which a few conclusions, or the ends of a few lanes, wait for others
LANES = 500
AT_ONCE = 500  # publications in one answer of Mongo, which would else be as large as it can be
LANES_AT_ONCE = 50  # with their beginnings
SLOW = 1.0  # seconds after which what is being sent is told of for good
KNOWN_FOR = 5.0  # seconds for which an account is used as it was read; an old token is noticed and renewed in any case


@dataclass(eq=False)
class HeldLane:
    """One lane of a claim, as its holder sees it."""

    account_id: ObjectId
    token: str
    fence: int
    asked: float  # the steady instant before the lease was asked for: it surely holds until then + lease
    line: deque[bytes] = field(default_factory=deque)  # read, and not begun; as BSON, for thousands may lie here
    goes_on: bool = True  # whether there may be more of the claim's than was read
    more: bool = False  # whether something was seen to fall due on it since it was stamped
    late_until: datetime | None = None  # when the next one that a stop has kept back may go out
    account: Account | None = None
    account_read: float = float("-inf")
    unreadable: bool = False  # its account was written by a newer version: nothing of it goes out here
    admitted: ObjectId | None = None  # let through the gate, and then it was too early: it has its place

    def safe_until(self, times: Times) -> float:
        """The steady instant after which no send may begin: one that does could outlive the lease."""
        return self.asked + times.lease - times.http_timeout - times.margin


class TooEarly:
    """The answer to an arm that came before the due instant: this machine's idea of the time was wrong."""


TOO_EARLY: Final = TooEarly()
# What comes of asking for an intent: it with its intent written; that it is too early; why it must wait; or that it is
# no longer the claim's.
Armed: TypeAlias = InHand | TooEarly | QuotaSpent | RetryLater | None


async def due_accounts(before: datetime, most: int, but: Sequence[ObjectId] = ()) -> list[ObjectId]:
    """At most `most` accounts with something claimable due before `before` (UTC), apart from those of `but`.

    Fair to workspaces: the first account of each comes before the second of any, and the earliest due first among them.
    """
    due = in_states(CLAIMABLE, AHEAD) | {"next_at": {"$lte": before}}
    if but:
        due["account_id"] = {"$nin": list(but)}
    # Looked for in `prepare_at`, nothing would make mongod read every document; what it says can be read in the index.
    whose = {"w": "$workspace_id", "a": "$account_id", "prepares": {"$gt": ["$prepare_at", None]}}
    stages: list[Json] = [
        {"$match": due},
        {"$group": {"_id": whose, "first": {"$min": "$next_at"}}},
        {"$match": {"_id.prepares": False}},
        {"$sort": {"first": 1}},
        {"$group": {"_id": "$_id.w", "accounts": {"$push": "$_id.a"}, "first": {"$min": "$first"}}},
        {"$unwind": {"path": "$accounts", "includeArrayIndex": "turn"}},
        {"$set": {"turn": {"$add": ["$turn", 0]}}},  # else mongod 6 sorts before it unwinds, by `first` alone
        {"$sort": {"turn": 1, "first": 1}},
        {"$limit": most},
    ]
    return [found["accounts"] async for found in await Publication.engine().aggregate(stages)]


async def take(before: datetime, backing: Backing, *, most: int) -> "Claim | None":
    """Takes free lanes with something due before `before`, and lanes whose holder's lease ran out; at most `most`.

    What is due on them is stamped as this claim's. None if there is nothing to take or others were faster.
    """
    times, present = backing.settings.times, backing.now()
    abandoned = await Lane.abandoned(before=present, most=most)
    due = await due_accounts(before, most + len(backing.in_hand))
    for lane in filter(None, map(backing.in_hand.get, due)):
        lane.more = True
    left = await _left(present - timedelta(seconds=2 * times.lease), most)
    wanted = [each for each in dict.fromkeys([*abandoned, *due, *left]) if each not in backing.in_hand][:most]
    if not wanted:
        return None
    token, asked = secrets.token_hex(12), steady()
    fences, server = await Lane.take(wanted, token, owner=backing.owner, lease=times.lease, at=backing.instant())
    seen = list(wanted)
    while not fences and len(wanted) >= most:  # others hold all of these: there may be free ones behind them
        wanted = await due_accounts(before, most, but=[*seen, *backing.in_hand])
        seen += wanted
        asked = steady()
        fences, server = await Lane.take(wanted, token, owner=backing.owner, lease=times.lease, at=backing.instant())
    if not fences:
        return None
    if server is not None:
        backing.clock.heard(server, asked)
    inherited = [each for each in (*abandoned, *left) if each in fences]
    stamped = await stamp(
        list(fences), before, token=token, owner=backing.owner, at=backing.instant(), inherited=inherited
    )
    fences = await kept(fences, token)
    if not fences:
        return None
    return Claim(
        token,
        fences,
        asked,
        before,
        backing,
        taken_at=server,
        stamped=stamped,
        inherited=inherited,
        more=len(wanted) >= most,
    )


async def _left(before: datetime, most: int) -> list[ObjectId]:
    """Accounts with something queued or armed that nobody has touched since `before` (UTC).

    Most of it only waits in a long line. But who stamps or arms after its lane was lost, and dies, leaves what no
    lane's lease tells of.
    """
    left = {
        "state": {"$in": list(TAKEN)},
        "next_at": {"$lt": before},
        "updated_at": {"$lt": before},
    }
    stages: list[Json] = [{"$match": left}, {"$group": {"_id": "$account_id"}}, {"$limit": most}]
    return [found["_id"] async for found in await Publication.engine().aggregate(stages)]


class Claim:
    """What one look took. Its lanes ask it for what comes next, for intents, and to write down what came of them."""

    def __init__(
        self,
        token: str,
        fences: Mapping[ObjectId, int],
        asked: float,
        before: datetime,
        backing: Backing,
        *,
        taken_at: datetime | None = None,
        stamped: int = 0,
        inherited: Sequence[ObjectId] = (),
        more: bool = False,
    ) -> None:
        """`asked`: the steady instant before the lease was asked for; `taken_at`: when it was given, by the database's
        clock. `before`: what falls due until then was stamped, `stamped`: how many that are. `inherited`: the accounts
        whose lanes their holders lost. `more`: others may be due that were not taken."""
        self._all_fit = stamped <= READ_AHEAD
        self.inherited = inherited
        self.token = token
        self.before = before
        self.taken_at = taken_at or backing.now()
        self.more = more
        self.lanes = [
            HeldLane(account_id=account, token=token, fence=fence, asked=asked) for account, fence in fences.items()
        ]
        self._backing = backing
        self._bus = Bus(backing)
        self._telling: set[asyncio.Task[None]] = set()
        self.read = Together(self._read, most=LANES)
        self.arm = Together(self._arm, most=ARMS)
        self.conclude = Together(self._conclude, most=CONCLUSIONS, patience=GATHER)
        self.renew = Together(self._renew, most=LANES, patience=GATHER)
        self.look_again = Together(self._look_again, most=LANES, patience=GATHER)
        self.release = Together(self._release, most=LANES, patience=GATHER)

    async def next(self, lane: HeldLane) -> InHand | None:
        """The first of what the claim holds on `lane`, in due order, that it has not handed out yet."""
        if not lane.line and lane.goes_on:
            await self.read(lane)
        while lane.line:
            found = bson.decode(lane.line.popleft(), AWARE)
            publication = InHand.readable(found)
            if publication is not None:
                return publication
            lane.goes_on = False  # it stays in line, and is given back with the lane
        return None

    async def left_sending(self) -> list[InHand]:
        """What earlier claims of inherited lanes armed and never concluded. What was armed after this one took them is
        another's, who has taken them from it."""
        if not self.inherited:
            return []
        left = self._of(self.inherited) | {"state": State.SENDING, "token": {"$ne": self.token}}
        left |= {"sent_at": {"$lte": self.taken_at}}
        found = [InHand.readable(each) async for each in Publication.engine().find(left)]
        return [each for each in found if each is not None]

    @contextmanager
    def told_if_slow(self, publication: InHand) -> Iterator[None]:
        """Tells, to be kept, that `publication` is being sent if the block takes long: who connects then must see."""
        slow = asyncio.get_running_loop().call_later(SLOW, lambda: self._begin(self._still_sending(publication)))
        try:
            yield
        finally:
            slow.cancel()

    async def all_told(self) -> None:
        """Returns when everything that was to be told has been."""
        if self._telling:
            await asyncio.wait(self._telling)
        await Telling.end(self.token)

    async def _read(self, lanes: Sequence[HeldLane]) -> Sequence[None]:
        each = max(1, min(LINE, READ_AHEAD // len(self.lanes)))
        await asyncio.gather(self._lines(lanes, each), self._accounts(lanes))
        for lane in lanes:
            if lane.unreadable:
                lane.line.clear()
                lane.goes_on = False
        return [None] * len(lanes)

    async def _lines(self, lanes: Sequence[HeldLane], each: int) -> None:
        by_account = {lane.account_id: lane for lane in lanes}
        if self._all_fit:
            await self._whole_lines(by_account)
        else:
            await self._beginnings(by_account, each)

    async def _whole_lines(self, by_account: Mapping[ObjectId, HeldLane]) -> None:
        """All that the claim holds on these lanes."""
        mine = self._of(list(by_account)) | {"state": State.QUEUED, "token": self.token}
        order = [("account_id", 1), ("next_at", 1), ("_id", 1)]
        found: Any = Publication.engine().find_raw_batches(mine, batch_size=AT_ONCE).sort(order)
        async for batch in found:
            for publication in _documents(batch):
                by_account[_account_of(publication)].line.append(publication)
        for lane in by_account.values():
            lane.goes_on = False

    async def _beginnings(self, by_account: Mapping[ObjectId, HeldLane], each: int) -> None:
        """Of each of these lanes the first so many."""
        stages: list[Json] = [
            {"$match": {"_id": {"$in": list(by_account)}}},
            {
                "$lookup": {
                    "from": Publication.engine().name,
                    "localField": "_id",
                    "foreignField": "account_id",
                    "pipeline": [
                        {"$match": {"state": State.QUEUED, "token": self.token, "next_at": {"$lte": self.before}}},
                        {"$sort": {"next_at": 1, "_id": 1}},
                        {"$limit": each},
                    ],
                    "as": "line",
                }
            },
            {"$project": {"line": 1}},
        ]
        found: Any = await Lane.engine().with_options(codec_options=RAW).aggregate(stages, batchSize=LANES_AT_ONCE)
        async for lane in found:
            line = [publication.raw for publication in lane["line"]]
            by_account[lane["_id"]].line.extend(line)
            by_account[lane["_id"]].goes_on = len(line) == each

    async def _accounts(self, lanes: Sequence[HeldLane]) -> None:
        stale = {lane.account_id: lane for lane in lanes if steady() - lane.account_read > KNOWN_FOR}
        if not stale:
            return
        for lane in stale.values():
            lane.account, lane.account_read = None, steady()
        async for found in Account.get_pymongo_collection().find({"_id": {"$in": list(stale)}}):
            lane = stale[found["_id"]]
            lane.account, lane.unreadable = _account(found)

    async def _arm(self, waiting: Sequence[tuple[InHand, HeldLane]]) -> Sequence[Armed]:
        asking = [sending(each, lane) for each, lane in waiting if lane.admitted != each.id]
        kept_back = await gate.admit(asking, self._backing)
        publications = [each for each, _ in waiting if each.id not in kept_back]
        armed = await arm(publications, token=self.token, at=self._backing.instant())
        early: set[ObjectId] = set()
        if missing := [each for each in publications if each.id not in armed]:
            still = {"_id": {"$in": [each.id for each in missing]}, "token": self.token, "state": State.QUEUED}
            ours = {found["_id"] async for found in Publication.engine().find(still, {"_id": 1})}
            early = {each.id for each in missing if each.id in ours and not _past(each, self._backing.now())}
        answers: list[Armed] = []
        for each, lane in waiting:
            intent = armed.get(each.id)
            lane.admitted = each.id if each.id in early else None
            if each.id in kept_back:
                answers.append(kept_back[each.id])
            elif intent is not None and intent["attempt_no"] == each.attempt_no + 1:
                answers.append(each.with_changes(intent))
            else:
                answers.append(TOO_EARLY if each.id in early else None)
        self._tell([each for each in answers if isinstance(each, InHand)])
        return answers

    def _tell(self, armed: Sequence[InHand]) -> None:
        """That they are going out is told at once and not kept: what comes of it follows in a moment, and is."""
        of_workspaces: dict[ObjectId, list[str]] = {}
        for each in armed:
            of_workspaces.setdefault(each.workspace_id, []).append(str(each.id))
        told = [(workspace, {"publications": ids}) for workspace, ids in of_workspaces.items()]
        if told:
            self._begin(self._bus.ticks("publication.sending", told))

    def _begin(self, telling: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(telling)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _still_sending(self, publication: InHand) -> None:
        async def body(session: AsyncClientSession) -> None:
            still = {"_id": publication.id, "token": self.token, "state": State.SENDING}
            touched = {"$set": {"updated_at": publication.updated_at}}  # so that the conclusion's row comes after ours
            written = await Publication.engine().update_one(still, touched, session=session)
            if written.matched_count:
                await announce([row(publication)], session)

        try:
            await self._backing.transaction(body)
        except PyMongoError as error:
            log.info("publication.not_told", publication=str(publication.id), error=type(error).__name__)

    async def _learn(self, attempted: Sequence[Attempted]) -> None:
        await gate.learnt(attempted, self._backing)

    async def _conclude(self, conclusions: Sequence[Conclusion]) -> Sequence[InHand | None]:
        """Facts first, then what they mean, then the word of it. Each may be the last thing this process does."""
        ids = [each.publication.id for each in conclusions]
        attempts = [each.attempt for each in conclusions if not each.plain and each.attempt is not None]
        if attempted := [each.attempted for each in conclusions if each.attempted is not None]:
            self._begin(self._learn(attempted))
        await asyncio.gather(
            insist(partial(Telling.begin, self.token, ids, owner=self._backing.owner, at=self._backing.now())),
            insist(partial(Attempt.note, attempts)),
        )
        together = await insist(partial(concluded_together, conclusions))
        if together is None:
            one_by_one = await insist(partial(concluded_one_by_one, conclusions))
        else:
            one_by_one = [(each, each) for each in together]
        await insist(partial(announce, [row(present) for _, present in one_by_one if present is not None]))
        self._backing.announced.set()
        for each in conclusions:
            if each.attempted is not None:
                lateness.noted(each.publication, each.changes["state"], self._backing)
        logged(conclusions)
        return [ours for ours, _ in one_by_one]

    async def _renew(self, lanes: Sequence[HeldLane]) -> Sequence[bool]:
        asked, backing = steady(), self._backing
        accounts = [lane.account_id for lane in lanes]
        ours = await Lane.renew(accounts, self.token, lease=backing.settings.times.lease, at=backing.instant())
        for lane in lanes:
            if lane.account_id in ours:
                lane.asked = asked
        return [lane.account_id in ours for lane in lanes]

    async def _look_again(self, lanes: Sequence[HeldLane]) -> Sequence[None]:
        """Stamps what has fallen due on lanes that are held for long, as a new claim would."""
        backing, ahead = self._backing, timedelta(seconds=self._backing.settings.times.look_ahead)
        for lane in lanes:
            lane.more, lane.goes_on = False, True
        accounts = [lane.account_id for lane in lanes]
        self.before = max(self.before, backing.now() + ahead)
        more = await stamp(accounts, self.before, token=self.token, owner=backing.owner, at=backing.instant())
        await kept({lane.account_id: lane.fence for lane in lanes}, self.token)
        self._all_fit = self._all_fit and more <= READ_AHEAD
        return [None] * len(lanes)

    def _of(self, accounts: Sequence[ObjectId]) -> Json:
        """What may be a claim's on these accounts, by an index that planned ones of later days do not burden."""
        return {"account_id": {"$in": list(accounts)}, "next_at": {"$lte": self.before}}

    async def _release(self, lanes: Sequence[HeldLane]) -> Sequence[None]:
        accounts = [lane.account_id for lane in lanes]
        ahead = timedelta(seconds=self._backing.settings.times.look_ahead)
        self.before = max(self.before, self._backing.now() + ahead)  # the next part of a thread is due since just now
        mine = self._of(accounts) | {"token": self.token, "state": State.QUEUED}
        await Publication.engine().update_many(mine, [{"$set": {"state": AS_IT_WAS, "token": None, "owner": None}}])
        await Lane.release(accounts, self.token)
        return [None] * len(lanes)


def sending(publication: InHand, lane: HeldLane) -> Sending:
    """What the gate must know of `publication`. One whose account is gone is held by whoever attempts it."""
    account = lane.account
    return Sending(
        publication.id,
        publication.account_id,
        publication.platform,
        publication.realm,
        account.origin if account else "",
        account.remote_id if account else "",
        account.allowed if account else (),
    )


def _account(found: Json) -> tuple[Account | None, bool]:
    """The account as it is stored; or that this version cannot read it."""
    account: Account | None = readable(Account, found)
    return account, account is None


def _documents(batch: bytes) -> Iterator[bytes]:
    """The documents that Mongo sent one behind the other: each begins with its own length."""
    begins = 0
    while begins < len(batch):
        ends = begins + int.from_bytes(batch[begins : begins + 4], "little")
        yield batch[begins:ends]
        begins = ends


def _account_of(publication: bytes) -> ObjectId:
    """Whose a publication is, out of its BSON, where it comes before anything that a person wrote. All of it is decoded
    when its turn comes."""
    begins = publication.index(ACCOUNT) + len(ACCOUNT)
    return ObjectId(publication[begins : begins + 12])


def _past(publication: InHand, at: datetime) -> bool:
    return publication.deadline is not None and publication.deadline <= at

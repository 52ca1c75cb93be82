"""What is known of a publication, whoever has it: the document that people's doors read, or the bare record of it in a
sender's hand. What follows from that, without asking anybody."""

import uuid
from collections.abc import Mapping
from copy import copy
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import msgspec
import structlog
from beanie import PydanticObjectId
from bson import ObjectId

from social.backing.mongo import as_bson
from social.backing.owner import Owner
from social.people.lateness import Lateness
from social.platforms import PLATFORMS
from social.platforms.contract import Content, Prepared, Realm, Receipt, Turn
from social.publishing.states import FINAL, Progress, Reason, State, Step

log = structlog.get_logger()
KEYS = uuid.UUID("7f0c6f5e-6a0e-4b57-9a4d-3a1f6f2b8f10")  # namespace of idempotency keys
Json = dict[str, Any]
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
FREE: Json = {"token": None, "owner": None, "work": None}  # in nobody's hands


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A definite no that came while an earlier attempt was in doubt: the error's class, sentence and facts."""

    kind: str
    sentence: str
    until: datetime | None = None
    code: str | None = None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Who prepares or settles a publication, until when. Never the lane's claim."""

    token: str
    lease_until: datetime
    owner: Owner


def key_of(id: ObjectId, rev: int, part: int = 0) -> str:
    """The idempotency key of a part: a function of publication, revision and part, so every attempt has the same."""
    return str(uuid.uuid5(KEYS, f"{id}:{rev}:{part}"))


def preparing_begins(content: Content, platform: str, due_at: datetime) -> datetime | None:
    """When `content` may begin to be prepared for `due_at`, or None where there is nothing to prepare. That may have
    passed: what is nearer to its time is prepared before what is not, whichever was planned first."""
    kind = PLATFORMS[platform]
    return due_at - kind.prepare_ahead if kind.prepares(content) else None


class Facts:
    """What both have, and what follows from it. The fields are explained where they are stored, in `documents`."""

    if TYPE_CHECKING:
        id: ObjectId
        workspace_id: PydanticObjectId
        post_id: ObjectId
        account_id: ObjectId
        platform: str
        realm: Realm
        content: Content
        rev: int
        part: int
        receipts: list[Receipt]
        key: str
        wall: str
        zone: str
        fold: int
        due_at: datetime
        deadline: datetime | None
        lateness: Lateness | None
        state: State
        reason: Reason | None
        next_at: datetime | None
        prepare_at: datetime | None
        prepared: Prepared
        prepared_until: datetime | None
        token: str | None
        fence: int
        ambiguous: bool
        attempt_no: int
        attempts_before: int
        tries: int
        deaths: int
        first_sent_at: datetime | None
        started_at: datetime | None
        begun_at: datetime | None
        sent_at: datetime | None
        answered_at: datetime | None
        planned_at: datetime
        updated_at: datetime

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return Progress(online=len(self.receipts), parts=len(self.content.parts))

    @property
    def partly_online(self) -> bool:
        """Whether some of its parts are online, but not all, and it may go on."""
        return bool(self.receipts) and self.state not in FINAL

    @property
    def receipt(self) -> Receipt | None:
        """Proof that it is online: its first part's, with what is to be said about any. None while nothing is."""
        if not self.receipts:
            return None
        notes = tuple(note for each in self.receipts for note in each.notes)
        return msgspec.structs.replace(self.receipts[0], notes=notes)

    def first_media(self) -> str | None:
        """The id of its first file, which stands for it in lists."""
        return self.content.files[0].media_id if self.content.files else None

    def turn(self, remote_account: str, handle: str = "") -> Turn:
        """What the platform is given to make public, as it was frozen. `remote_account`: its id of the account."""
        return Turn(
            content=self.content,
            prepared=self.prepared,
            key=self.key,
            first_sent_at=self.first_sent_at or self.sent_at or self.due_at,
            remote_account=remote_account,
            handle=handle,
            part=self.part,
            before=tuple(self.receipts),
        )

    def prepare_for(self, due_at: datetime) -> datetime | None:
        """When preparing for `due_at` may begin; None where nothing is to be prepared (any more)."""
        if self.prepared_until is not None and self.prepared_until > due_at:
            return None
        return preparing_begins(self.content, self.platform, due_at)

    def after(self, step: Step, at: datetime) -> Json:
        """What `step`, decided for this publication at the instant `at`, writes into it."""
        written: Json = {
            "state": step.state,
            "next_at": step.again_at,
            "reason": as_bson(step.reason) if step.reason else None,
            "tries": self.tries + step.counts,
            "updated_at": self.later(at),
        }
        if step.ambiguous is not None:
            written["ambiguous"] = step.ambiguous
        if step.ambiguous is False:
            written |= {"refusal": None, "looks": 0}
        if step.prepare_anew:
            written |= {"prepared": {}, "prepared_until": None, "prepare_at": step.again_at, "waits_since": None}
        return written

    def later(self, at: datetime) -> datetime:
        """`at`, or a moment after its last change if that is later: whoever is told of changes believes the latest, and
        no two clocks agree."""
        return max(at, self.updated_at + timedelta(milliseconds=1))

    def turn_passes(self, receipt: Receipt) -> Json:
        """What the receipt of the part whose turn it is writes besides: the next one begins without a past."""
        receipts = [as_bson(each) for each in (*self.receipts, receipt)]
        if len(receipts) == len(self.content.parts):
            return {"receipts": receipts}
        return {
            "receipts": receipts,
            "part": self.part + 1,
            "key": key_of(self.id, self.rev, self.part + 1),
            "first_sent_at": None,
            "attempts_before": self.attempt_no,
            "tries": 0,
            "deaths": 0,
        }

    def as_it_was(self) -> Json:
        """The condition that neither its content nor the part whose turn it is has changed since it was read.

        What was planned before there were parts has none stored.
        """
        return {"_id": self.id, "rev": self.rev, "part": self.part if self.part else {"$in": [0, None]}}


class InHand(Facts, msgspec.Struct, kw_only=True, rename={"id": "_id"}):
    """A publication as a sender has it: read as the engine itself stored it, at a tenth of what a document costs."""

    id: Any
    workspace_id: Any
    post_id: Any
    account_id: Any
    platform: str
    realm: Realm
    content: Content
    rev: int = 1
    part: int = 0
    receipts: list[Receipt] = []
    key: str
    wall: str
    zone: str
    fold: int = 0
    due_at: datetime
    deadline: datetime | None = None
    lateness: Lateness | None = None
    state: State
    reason: Reason | None = None
    next_at: datetime | None = None
    prepare_at: datetime | None = None
    prepared: Prepared = Prepared()
    prepared_until: datetime | None = None
    token: str | None = None
    fence: int = 0
    ambiguous: bool = False
    attempt_no: int = 0
    attempts_before: int = 0
    tries: int = 0
    deaths: int = 0
    first_sent_at: datetime | None = None
    started_at: datetime | None = None
    begun_at: datetime | None = None
    sent_at: datetime | None = None
    answered_at: datetime | None = None
    planned_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """It out of what Mongo has of it, times aware. msgspec.ValidationError if that is no publication."""
        return msgspec.convert(found, cls)

    @classmethod
    def readable(cls, found: Mapping[str, Any]) -> Self | None:
        """As `of`, or None: what a newer version wrote so that this one cannot read it waits for that one, and keeps
        back nobody else."""
        try:
            return cls.of(found)
        except msgspec.ValidationError as error:
            log.warning("publication.unreadable", publication=str(found["_id"]), error=str(error))
            return None

    def with_changes(self, changes: Json) -> Self:
        """It after `changes`, whole fields as they are stored, were written into it."""
        changed = copy(self)
        for name, value in changes.items():
            if name in STRUCTS:
                setattr(changed, name, msgspec.convert(value, STRUCTS[name]))
            elif name in FIELDS:
                setattr(changed, name, value)
        return changed


STRUCTS: dict[str, Any] = {"receipts": list[Receipt], "reason": Reason | None, "prepared": Prepared}
FIELDS = frozenset(InHand.__struct_fields__)

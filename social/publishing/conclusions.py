"""What became of publications under a claim, written down for many at once.

Conditions stay each publication's own: a batch that does not match as a whole is carried out one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import structlog
from pymongo import UpdateMany, UpdateOne

from social.errors import RetryLater
from social.platforms.contract import Receipt
from social.publishing.attempts import Attempt, written
from social.publishing.documents import Publication
from social.publishing.facts import InHand, Json
from social.publishing.findings import Finding
from social.publishing.gate import Attempted
from social.publishing.states import State

log = structlog.get_logger()
ALIKE = 40  # conclusions in one statement, which looks each one's own up in a list
DIFFERENT = ("receipts", "answered_at", "updated_at", "tries")


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """What became of one publication: what is written under the claim, and the attempt that led to it, if one did.

    `fact`: what is written where the claim has lost it, because the platform has the post all the same. `alike`: it is
    online as a whole, like most; many of those are one write.
    """

    publication: InHand
    changes: Json
    state: State = State.SENDING  # in which it is until then
    attempted: Attempted | None = None
    fact: Json | None = None
    alike: bool = False

    @cached_property
    def attempt(self) -> Json | None:
        """The attempt as it is stored."""
        if self.attempted is None:
            return None
        return written(self.publication, self.attempted.outcome, self.changes["answered_at"])

    @property
    def plain(self) -> bool:
        """Whether it is online as a whole at the first attempt: then it says itself all that its attempt would."""
        return self.alike and self.publication.attempt_no == 1


async def concluded_together(conclusions: Sequence[Conclusion]) -> list[InHand] | None:
    """Writes them in one go. None if one of them was taken from the claim meanwhile, or an earlier try had succeeded
    without being heard: then it is not known which."""
    alike = [each for each in conclusions if each.alike]
    updates: list[UpdateOne | UpdateMany] = [
        UpdateOne(_condition(each), {"$set": each.changes}) for each in conclusions if not each.alike
    ]
    updates += [_all_online(alike[start : start + ALIKE]) for start in range(0, len(alike), ALIKE)]
    done = await Publication.engine().bulk_write(updates, ordered=False)
    if done.matched_count != len(conclusions):
        return None
    return [each.publication.with_changes(each.changes) for each in conclusions]


def _all_online(conclusions: Sequence[Conclusion]) -> UpdateMany:
    """The write for those that are online as a whole: they differ in their receipts and in when those came. The claim's
    token alone says that they are as they were. What a platform said is data: "$token" in an id is no field of ours."""
    ids = [each.publication.id for each in conclusions]
    alike = {name: value for name, value in conclusions[0].changes.items() if name not in DIFFERENT}
    its_place = {"$indexOfArray": [ids, "$_id"]}
    differing = {
        name: {"$arrayElemAt": [{"$literal": [each.changes[name] for each in conclusions]}, its_place]}
        for name in DIFFERENT
    }
    condition = {"_id": {"$in": ids}, "token": conclusions[0].publication.token, "state": State.SENDING}
    return UpdateMany(condition, [{"$set": {name: {"$literal": value} for name, value in alike.items()} | differing}])


async def concluded_one_by_one(conclusions: Sequence[Conclusion]) -> list[tuple[InHand | None, InHand | None]]:
    """Writes each as far as it is still the claim's, and what is a fact in any case. Running it again changes nothing.

    Each as the claim left it, or None where it had lost it; and as it is now.
    """
    await Attempt.note([each.attempt for each in conclusions if each.attempt is not None and each.plain])
    for each in conclusions:
        done = await Publication.engine().update_one(_condition(each), {"$set": each.changes})
        if not done.matched_count and each.fact is not None and await _is_its_own(each):
            await Publication.went_out(each.publication, each.fact)
    ids = [each.publication.id for each in conclusions]
    there = {found["_id"]: InHand.readable(found) async for found in Publication.engine().find({"_id": {"$in": ids}})}
    present = [there.get(id) for id in ids]  # none is left of a post that was deleted
    return [
        (now if now is not None and _is_as_left(now, each) else None, now)
        for each, now in zip(conclusions, present, strict=True)
    ]


async def _is_its_own(conclusion: Conclusion) -> bool:
    """Whether the receipt that comes after the claim was lost is still this one's. Where a look has taken its post for
    another of the same words, it is looked for as one whose answer never came."""
    attempted = conclusion.attempted
    if attempted is None or not isinstance(attempted.outcome, Receipt):
        return False
    at, found, origin = conclusion.changes["answered_at"], attempted.outcome.id, attempted.sent.origin
    try:
        return await Finding.stands_for(conclusion.publication, found, origin, at=at)
    except RetryLater:
        return False


def _is_as_left(publication: InHand, conclusion: Conclusion) -> bool:
    """Whether what is stored is what the claim wrote, now or at an earlier try that was not heard."""
    left = conclusion.publication.with_changes(conclusion.changes)
    return (publication.state, publication.token, publication.answered_at) == (left.state, left.token, left.answered_at)


def _condition(conclusion: Conclusion) -> Json:
    publication = conclusion.publication
    as_it_was: Json = publication.as_it_was()
    return as_it_was | {"token": publication.token, "state": conclusion.state}


def logged(conclusions: Sequence[Conclusion]) -> None:
    """One line for all that are online, with the latest of them; and one for each that is not."""
    online = [each for each in conclusions if each.changes["state"] == State.ONLINE]
    if online:
        log.info(
            "publications.online",
            publications=[str(each.publication.id) for each in online],
            late_ms=max(_late(each.publication) for each in online),
        )
    for each in conclusions:
        if each.attempt is not None and each.changes["state"] != State.ONLINE:
            log.info(
                "publication.attempted",
                publication=str(each.publication.id),
                workspace=str(each.publication.workspace_id),
                part=each.publication.part,
                attempt=each.publication.attempt_no,
                outcome=each.attempt["outcome"],
                state=str(each.changes["state"]),
                late_ms=_late(each.publication),
            )


def _late(publication: InHand) -> float:
    return ((publication.begun_at or publication.due_at) - publication.due_at) / timedelta(milliseconds=1)

"""The production code, broken on purpose: each bug is a change of a function's source, and the model must notice it.

A bug that no longer applies, because the code was rewritten, fails loudly: it is to be planted anew.
"""

import importlib
import inspect
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any


class Obsolete(Exception):
    """The source that was to be broken is not there any more."""


@dataclass(frozen=True)
class Change:
    """In the function at `where` ("module:name" or "module:Class.name"), `old` becomes `new`."""

    where: str
    old: str
    new: str


@dataclass(frozen=True)
class Bug:
    """A planted bug: what it is called, what is wrong with it in one sentence, how it is planted, and what of its
    schedules is `fixed` so that it shows soon."""

    name: str
    sentence: str
    changes: tuple[Change, ...]
    fixed: Mapping[str, Any]


def plant(bug: Bug) -> None:
    """Breaks this process's product. Obsolete if the bug no longer applies."""
    for owner, name, there, made in broken(bug):
        setattr(owner, name, made)
        if isinstance(there, FunctionType):
            _everywhere(there, made)


def broken(bug: Bug) -> list[tuple[Any, str, Any, Any]]:
    """What planting `bug` would replace: whose attribute, its name, what is there, and what comes instead."""
    places: dict[str, list[Change]] = {}
    for change in bug.changes:
        places.setdefault(change.where, []).append(change)
    return [_broken(where, changes, bug.name) for where, changes in places.items()]


def _broken(where: str, changes: list[Change], name: str) -> tuple[Any, str, Any, Any]:
    module_name, _, path = where.partition(":")
    module = importlib.import_module(module_name)
    *outer, last = path.split(".")
    owner: Any = module
    for each in outer:
        owner = getattr(owner, each)
    there = inspect.getattr_static(owner, last, None)
    if there is None:
        raise Obsolete(f"{name}: there is no {where}")
    function = inspect.unwrap(there.__func__ if isinstance(there, classmethod | staticmethod) else there)
    source = textwrap.dedent(inspect.getsource(function))
    for change in changes:
        if source.count(change.old) != 1:
            raise Obsolete(f"{name}: {where} has {source.count(change.old)} times {change.old!r}")
        source = source.replace(change.old, change.new)
    made: dict[str, Any] = {}
    code = compile("from __future__ import annotations\n" + source, module_name, "exec")
    exec(code, module.__dict__, made)
    return owner, last, there, made[last]


def _everywhere(old: Any, new: Any) -> None:
    """Whoever imported it has the broken one too."""
    for name, module in list(sys.modules.items()):
        if name.startswith("social"):
            for attribute, value in list(vars(module).items()):
                if value is old:
                    setattr(module, attribute, new)


def named(name: str) -> Bug:
    """The bug called so. KeyError if there is none."""
    return by_name()[name]


def by_name() -> Mapping[str, Bug]:
    """All of them."""
    return {bug.name: bug for bug in BUGS}


CLAIMS, SEND, SETTLE = "social.publishing.claims", "social.publishing.send", "social.publishing.settle"
ARMING, CONCLUSIONS = "social.publishing.arming", "social.publishing.conclusions"
STATES, LANES, FACTS = "social.publishing.states", "social.publishing.lanes", "social.publishing.facts"
HOLDS, KEEPING = "social.publishing.holds", "social.publishing.keeping"
DOCUMENTS, SINGLE = "social.publishing.documents", "social.publishing.single"
FINDINGS = "social.publishing.findings"
OFTEN_THE_SAME_WORDS: Mapping[str, Any] = {
    "settles": "search",
    "same_words": True,
    "accounts": 1,
    "publications": 3,
    "parts": 1,
    "instances": 3,
    "pauses": 2,
    "trouble": 2.0,
    "outage": None,
}


def _bug(name: str, sentence: str, *changes: tuple[str, str, str], **fixed: Any) -> Bug:
    return Bug(name, sentence, tuple(Change(*change) for change in changes), fixed)


BUGS: tuple[Bug, ...] = (
    _bug(
        "no fence on conclusions",
        "What came of an attempt is written whoever holds the publication by now.",
        (
            f"{CONCLUSIONS}:_condition",
            'return as_it_was | {"token": publication.token, "state": conclusion.state}',
            "return as_it_was",
        ),
    ),
    _bug(
        "sent before the intent",
        "The request goes out first and the intent is written afterwards.",
        (
            f"{SEND}:_send_one",
            "armed = await _armed(publication, lane, claim, backing)",
            "early = await _attempt(publication, lane, backing)\n"
            "    armed = await _armed(publication, lane, claim, backing)",
        ),
        (f"{SEND}:_send_one", "outcome, told = await _attempt(armed, lane, backing)", "outcome, told = early"),
    ),
    _bug(
        "an unknown intent counts as written",
        "When the database does not answer whether the intent was written, it is sent all the same.",
        (
            f"{SEND}:_armed",
            "while isinstance(armed := await claim.arm((publication, lane)), TooEarly):",
            "try:\n        armed = await claim.arm((publication, lane))\n"
            "    except PyMongoError:\n        return publication\n"
            "    while isinstance(armed, TooEarly):",
        ),
        (
            f"{SEND}:_armed",
            "        await asyncio.sleep(AGAIN)",
            "        await asyncio.sleep(AGAIN)\n        armed = await claim.arm((publication, lane))",
        ),
    ),
    _bug(
        "a refusal is believed while in doubt",
        "A definite no ends it although an earlier attempt may be online.",
        (f"{STATES}:decide", "case _ if ambiguous:", "case _ if False:"),
        settles="key",
        trouble=2.0,
        publications=1,
        accounts=1,
        deadline=None,
        outage=None,
    ),
    _bug(
        "a quota makes the doubt forgotten",
        "Told to wait, a publication in doubt waits and is then treated as never sent.",
        (
            f"{STATES}:decide",
            "return msgspec.structs.replace(step, state=State.UNCONFIRMED, counts=False)",
            "return msgspec.structs.replace(step, counts=False, ambiguous=False)",
        ),
    ),
    _bug(
        "a lost answer is a failure",
        "An attempt without an answer is tried again as if it had been refused.",
        (
            f"{STATES}:decide",
            "state=State.UNCONFIRMED,\n                again_at=now + timedelta(seconds=times.first_look),",
            "state=State.WAITING,\n                again_at=now + timedelta(seconds=times.first_look),",
        ),
        (f"{STATES}:decide", "ambiguous=True,", "ambiguous=False,"),
    ),
    _bug(
        "the deadline is not checked at the write",
        "A process that stood still sends after its lease has run out.",
        ("social.platforms.guard:Guarded._hand_over", "steady() >= self._call.deadline", "False"),
    ),
    _bug(
        "the deadline is checked a step early",
        "The lease is looked at before the connection is made, not where the body is written.",
        ("social.platforms.guard:Guarded._hand_over", "steady() >= self._call.deadline", "False"),
        (
            f"{SEND}:_attempt",
            "account = lane.account\n",
            "account = lane.account\n    if steady() >= lane.safe_until(backing.settings.times):\n"
            '        return RetryLater("late", answered=False), ()\n',
        ),
    ),
    _bug(
        "the lease begins with the answer",
        "The deadline's clock starts when the claim's answer arrives instead of before it was asked for.",
        (f"{CLAIMS}:take", "        fences,\n        asked,", "        fences,\n        steady(),"),
    ),
    _bug(
        "a renewal begins with the answer",
        "A renewed lease is counted from its answer.",
        (f"{CLAIMS}:Claim._renew", "lane.asked = asked", "lane.asked = steady()"),
        parts=3,
        pauses=3,
        crashes=0,
    ),
    _bug(
        "no settle time",
        "What a look does not find once the request has timed out counts as absent.",
        (
            f"{STATES}:settled",
            "proven = timed_out + timedelta(seconds=times.settle_dead if owner_dead else times.settle)",
            "proven = timed_out",
        ),
        settles="search",
    ),
    _bug(
        "nobody waits for the timeout",
        "Absence is proven from the sending on, although the request may still be on its way.",
        (f"{STATES}:settled", "    if now < proven:", "    if now < last_sent_at + timedelta(seconds=20):"),
        settles="search",
    ),
    _bug(
        "a stored refusal is believed at once",
        "A refusal that came while in doubt is believed at the first look that finds nothing.",
        (f"{STATES}:settled", "    if now < proven:", "    if now < proven and refusal is None:"),
        settles="key",  # whose repeats meet with refusals
        lag=25.0,
    ),
    _bug(
        "a search is repeated like a key",
        "A platform without keys gets the same post again as if it knew it.",
        (f"{STATES}:repeatable", 'settles in {"key", "handle"} and now < first_sent_at + replay_for', "True"),
        settles="search",
    ),
    _bug(
        "a key lives for ever",
        "A repeat under the same key is trusted however long ago the first one was.",
        (f"{STATES}:repeatable", " and now < first_sent_at + replay_for", ""),
        settles="key",
    ),
    _bug(
        "a takeover leaves no doubt",
        "What a dead owner was sending is taken over without the doubt that it went out.",
        (f"{SEND}:_doubt_what_was_left", "ambiguous=True", "ambiguous=False"),
    ),
    _bug(
        "a takeover sends again",
        "What a dead owner was sending is queued once more.",
        (
            f"{ARMING}:stamp",
            '"state": State.QUEUED, "token": {"$ne": token}',
            '"state": {"$in": [State.QUEUED, State.SENDING]}, "token": {"$ne": token}',
        ),
    ),
    _bug(
        "the key belongs to the attempt",
        "Each attempt has an idempotency key of its own.",
        (f"{FACTS}:Facts.turn", "key=self.key,", "key=key_of(self.id, self.rev, self.part + 100 * self.attempt_no),"),
    ),
    _bug(
        "a late receipt is dropped",
        "Who lost the claim meanwhile throws the platform's receipt away.",
        (f"{CONCLUSIONS}:concluded_one_by_one", "if not done.matched_count and each.fact is not None", "if False"),
        (f"{SETTLE}:_settle", "if fact is not None:", "if False:"),
        settles="blind",
    ),
    _bug(
        "a stored fact is not looked at",
        "Settling asks the platform, or a person, although the receipt had been written down.",
        (f"{SETTLE}:_settle", "if fact is not None:", "if False:"),
        settles="blind",
    ),
    _bug(
        "sent before it is due",
        "The intent is written whether or not its instant has come.",
        (f"{ARMING}:arm", '{"$lte": ["$due_at", at]},', "True,"),
        (f"{SEND}:_send_lane", "await _until(publication.next_at or publication.due_at, backing)", "pass"),
    ),
    _bug(
        "sent after its deadline",
        "The intent is written although it is too late for it.",
        (f"{ARMING}:arm", '{"$gt": ["$deadline", at]}', "True"),
    ),
    _bug(
        "what is past its deadline waits for ever",
        "Nobody says of what could not go out in time that it is missed, or asks.",
        ("social.publishing.due:look", "pass_by(backing),", ""),
    ),
    _bug(
        "a lane is taken from its holder",
        "A claim does not look whether somebody holds the lane.",
        (f"{LANES}:Lane.take", '"$expr": {"$lte": ["$lease_until", at]}', '"_id": {"$in": list(accounts)}'),
    ),
    _bug(
        "everybody is dead",
        "The leases of owners that are alive are ended.",
        (f"{LANES}:Lane.free_the_dead", "if Owner(**owner).proven_dead(seen_from)", "if True"),
    ),
    _bug(
        "another host's processes are dead",
        "A process that is not seen here is taken for dead, on whatever host it runs.",
        (
            "social.backing.owner:Owner.proven_dead",
            "if self.host != seen_from.host or not self.boot:",
            "if not self.boot:",
        ),
        (f"{LANES}:Lane.free_the_dead", ', "owner.host": seen_from.host', ""),
    ),
    _bug(
        "known posts are not left out",
        "A look takes another publication's post of the same words for its own.",
        (
            f"{DOCUMENTS}:Publication.ids_beside",
            "return frozenset(found)",
            "return frozenset()",
        ),
    ),
    _bug(
        "two looks take one post",
        "Nobody notes what was found for which of several publications of the same words.",
        (f"{FINDINGS}:Finding.stands_for", "if holder == publication.id:", "if True:"),
        **OFTEN_THE_SAME_WORDS,
    ),
    _bug(
        "a stale settler writes",
        "What a look came to is written although another has looked since.",
        (
            f"{DOCUMENTS}:Publication.at_work",
            'publication.as_it_was() | {"work.token": work.token}',
            "publication.as_it_was()",
        ),
    ),
    _bug(
        "a conclusion hits the next revision",
        "What came of an attempt, and what work came to, is written into whatever the publication is by now.",
        (
            f"{FACTS}:Facts.as_it_was",
            'return {"_id": self.id, "rev": self.rev,',
            'return {"_id": self.id} if self else {"rev": self.rev,',
        ),
        (f"{CONCLUSIONS}:_condition", ' | {"token": publication.token, "state": conclusion.state}', ""),
    ),
    _bug(
        "a change while it goes out",
        "People may change and cancel what is being sent.",
        (
            f"{DOCUMENTS}:Publication.change",
            '"state": {"$in": list(states)}',
            '"state": {"$in": [*states, State.SENDING]}',
        ),
    ),
    _bug(
        "a change in doubt",
        "People may change and cancel what may be online already.",
        (
            f"{DOCUMENTS}:Publication.change",
            "doubt: Json = {} if in_doubt is None else",
            "doubt: Json = {} if not in_doubt else",
        ),
    ),
    _bug(
        "an edit leaves the token and the intent looks at nothing else",
        "What was cancelled or edited after it was claimed is sent by the claim that had it.",
        (f"{DOCUMENTS}:Publication.change", "free: Json = FREE | {", "free: Json = {"),
        (f"{ARMING}:arm", 'mine | {"state": State.QUEUED, "$expr": in_time}', 'mine | {"$expr": in_time}'),
    ),
    _bug(
        "the parts of a thread share a key",
        "The next part goes out under the key of the one before.",
        (f"{FACTS}:Facts.turn_passes", '"key": key_of(self.id, self.rev, self.part + 1),', ""),
    ),
    _bug(
        "answers are mixed up in a batch",
        "Of what travels together each hears what became of another.",
        (
            "social.publishing.together:Together._carry_all",
            "zip(batch, answers, strict=True)",
            "zip(batch, reversed(list(answers)), strict=True)",
        ),
    ),
    _bug(
        "a quota costs a try",
        "Being told to wait uses up one of the tries.",
        (
            f"{STATES}:refused",
            "return _waiting(QUOTA, outcome.sentence, until)",
            "return msgspec.structs.replace(_waiting(QUOTA, outcome.sentence, until), counts=True)",
        ),
    ),
    _bug(
        "the fence stands still",
        "Another claim of a publication does not raise its fence.",
        (f"{ARMING}:stamp", '{"$add": ["$fence", 1]}', '"$fence"'),
    ),
    _bug(
        "absence is counted from the first attempt",
        "A second attempt does not begin the time anew in which the first look may miss it.",
        (f"{ARMING}:arm", '"sent_at": at,', '"sent_at": {"$ifNull": ["$sent_at", at]},'),
        settles="search",
    ),
    _bug(
        "an intent ends the doubt",
        "Writing the next intent forgets that an earlier one may be online.",
        (f"{ARMING}:arm", '"reason": None,', '"reason": None, "ambiguous": False,'),
    ),
    _bug(
        "a conclusion is not told",
        "What came of an attempt is written and nobody hears of it.",
        (
            f"{CLAIMS}:Claim._conclude",
            "await insist(partial(announce, [row(present) for _, present in one_by_one if present is not None]))",
            "pass",
        ),
    ),
    _bug(
        "nobody tells for the dead",
        "What was written by a process that died before it told of it is never told.",
        ("social.publishing.due:look", "tell_for_the_dead(backing),", ""),
        (
            f"{CLAIMS}:Claim._conclude",
            "insist(partial(Telling.begin, self.token, ids, owner=self._backing.owner, at=self._backing.now())),",
            "",
        ),
    ),
    _bug(
        "what was left sending is forgotten",
        "Nobody takes up what a dead owner was sending.",
        (f"{SEND}:_work_off", "works = [_doubt_what_was_left(claim, backing), *(", "works = [*("),
    ),
    _bug(
        "what was left queued is forgotten",
        "Nobody takes up what a dead owner had claimed and not begun.",
        (f"{ARMING}:stamp", "if inherited:", "if False:"),
    ),
    _bug(
        "a person's no while it is still checked",
        "Somebody who does not see it yet has it sent again under another key.",
        (f"{SINGLE}:verdict", "elif _may_still_arrive(publication, backing):", "elif False:"),
        (f"{SINGLE}:verdict", "elif publication.state == State.HELD:", "elif True:"),
    ),
    _bug(
        "a hold does not wait for what is going out",
        "It is acknowledged although something armed before may still be handed over.",
        (f"{HOLDS}:_gone", "if not left:", "if True:"),
    ),
    _bug(
        "a hold lets the lanes go on",
        "Whoever holds a lane keeps it, and what it has queued is not held.",
        (f"{HOLDS}:_mark", ', "$set": {"token": None, "owner": None, "lease_until": EPOCH}', ""),
        (f"{KEEPING}:keep_back", "in_states(BEFORE_SENDING, OPEN)", "in_states(BEFORE_SENDING[:3], OPEN)"),
        people=3,
        pauses=2,
        parts=3,  # the next one is in the hands of who stood still meanwhile
        crashes=0,
    ),
    _bug(
        "a held lane can be taken",
        "A claim takes a lane although it is held.",
        (f"{LANES}:Lane.take", '"holds.0": {"$exists": False}, ', ""),
    ),
)

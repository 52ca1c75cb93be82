"""What becomes of each file of a post on an account, with all that is needed to show it before it is made."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from social.accounts.documents import Account
from social.media.fit import Outcome
from social.media.plans import Cannot, Converts, Crop, Fits, Pad, Picture, Plan, Resize, Still, Trim, Verdict
from social.platforms import PLATFORMS
from social.platforms.contract import Content, MediaItem
from social.posts import check, compose
from social.posts.documents import Written
from social.publishing.converted import limits_of

NAMED: dict[type, Literal["fits", "converts", "cannot"]] = {Fits: "fits", Converts: "converts", Cannot: "cannot"}
Fill = Literal["", "white", "black"]


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """What stays of a file that is cut, in its own pixels."""

    left: int
    top: int
    width: int
    height: int


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """From when to when, or from how long to how long; in seconds."""

    start: float
    end: float


class FileVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one file on an account: `fits`, `converts` (and how, in sentences) or `cannot` (and why; `code`
    says it to machines).

    `pointer` leads to the file in the post; `kind` names the kind of post it is shown in. What goes out is `width` by
    `height` pixels large. In its middle, `inner_width` by `inner_height`, is what stays of the file: its `region`, or
    all of it. What is around it is filled with `fill` ("": one sees through). `still`: of an animation only the first
    frame. `shown`: that part of a video, null: all of it. `lasting`: how long videos may be there, null where none is
    taken.
    """

    pointer: str
    media_id: str
    verdict: Literal["fits", "converts", "cannot"]
    kind: str
    changes: list[str]
    because: str
    code: str
    width: int
    height: int
    inner_width: int
    inner_height: int
    region: Region | None
    fill: Fill
    still: bool
    shown: Stretch | None
    lasting: Stretch | None


def file_verdicts(account: Account, written: Written, content: Content) -> Iterator[FileVerdict]:
    """What becomes of every file of `content`, which is what `account` gets of what was `written`."""
    platform, limits = PLATFORMS[account.platform], limits_of(account)
    for number, part in enumerate(content.parts):
        outcome = check.outcome(part, limits, platform)
        at = f"/thread/{number - 1}/media" if number else "/media"
        for place, (item, verdict) in enumerate(zip(part.media, outcome.files if outcome else (), strict=True)):
            pointer = compose.written_at(f"{at}/{place}", written, account)
            yield _shown(pointer, item, verdict, outcome)


def _shown(pointer: str, item: MediaItem, verdict: Verdict, outcome: Outcome | None) -> FileVerdict:
    plan = verdict.plan if isinstance(verdict, Converts) else None
    taken = outcome.kind.videos if outcome and not item.animated else None
    crop, trim = plan and plan.step(Crop), plan and plan.step(Trim)
    width, height = (plan and plan.size) or (item.width, item.height)
    inner_width, inner_height = _inner(plan, item) or (width, height)
    return FileVerdict(
        pointer=pointer,
        media_id=item.media_id,
        verdict=NAMED[type(verdict)],
        kind=outcome.kind.words if outcome else "",
        changes=list(verdict.changes) if isinstance(verdict, Converts) else [],
        because=verdict.because if isinstance(verdict, Cannot) else "",
        code=verdict.code if isinstance(verdict, Cannot) else "",
        width=width,
        height=height,
        inner_width=inner_width,
        inner_height=inner_height,
        region=Region(left=crop.left, top=crop.top, width=crop.width, height=crop.height) if crop else None,
        fill=_fill(plan, item),
        still=plan is not None and plan.step(Still) is not None,
        shown=Stretch(start=trim.start, end=trim.end) if trim else None,
        lasting=Stretch(start=taken.seconds[0], end=taken.seconds[1]) if taken else None,
    )


def _inner(plan: Plan | None, item: MediaItem) -> tuple[int, int] | None:
    """How large the picture within the filling is; None where nothing is filled."""
    if plan is None or plan.step(Pad) is None:
        return None
    sized = plan.step(Resize) or plan.step(Crop)
    return (sized.width, sized.height) if sized else (item.width, item.height)


def _fill(plan: Plan | None, item: MediaItem) -> Fill:
    """As it is carried out: black around videos; white around pictures, unless something may shine through."""
    if plan is None or plan.step(Pad) is None:
        return ""
    written = plan.step(Picture)
    if written is None:
        return "black"
    clear = item.probe is not None and item.probe.alpha and not written.flat
    return "" if clear else "white"

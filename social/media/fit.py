"""A file and a kind of post make a plan. Pure: the same rules hold while composing, when planning and when sending.

"Fix, don't refuse": what can be made to fit is, and it is said how; what cannot says why and what to do.
"""

from collections.abc import Sequence

import msgspec

from social.files import AS_IT_IS, Animations, Choice, PostKind, Probe
from social.media import shapes
from social.media.fit_pictures import fit_picture
from social.media.fit_videos import fit_video
from social.media.plans import Cannot, Converts, Film, Fits, Still, Verdict

AS_VIDEO = "The animation becomes a video."


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a post, and what is wanted of it."""

    probe: Probe
    choice: Choice = AS_IT_IS


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the files of a post in one kind of it, in their order. `because` is about them all."""

    kind: PostKind
    files: tuple[Verdict, ...]
    because: Cannot | None = None

    @property
    def possible(self) -> bool:
        """Whether it can go out like this."""
        return self.because is None and not any(isinstance(each, Cannot) for each in self.files)

    @property
    def stills(self) -> bool:
        """Whether something that moves is shown as a still picture."""
        return any(isinstance(each, Converts) and each.plan.step(Still) is not None for each in self.files)


def best(files: Sequence[File], kinds: Sequence[PostKind], title: str) -> Outcome:
    """The first kind in which the files can go out, best of all one in which nothing that moves has to stand still; if
    there is none, the one that comes nearest. At least one kind."""
    outcomes = [fit_all(files, kind, title) for kind in kinds]
    possible = sorted((each for each in outcomes if each.possible), key=lambda each: each.stills)
    return possible[0] if possible else min(outcomes, key=_distance)


def fit_all(files: Sequence[File], kind: PostKind, title: str) -> Outcome:
    """What becomes of all of them together. `title` is the platform's."""
    shape, choices = None, [each.choice for each in files]
    if files and kind.same_shape:
        aspect = choices[0].aspect
        shape = aspect or files[0].probe.shape
        choices = [msgspec.structs.replace(each, aspect=aspect) for each in choices]
    verdicts = tuple(
        fit(each.probe, kind, title, choice, shape=shape) for each, choice in zip(files, choices, strict=True)
    )
    return Outcome(kind=kind, files=verdicts, because=_together(files, kind, title))


def fit(probe: Probe, kind: PostKind, title: str, choice: Choice = AS_IT_IS, *, shape: float | None = None) -> Verdict:
    """What becomes of one file. `shape` is the first file's, where all must have one."""
    if probe.footage is not None:
        if kind.videos is None:
            return _wrong_sort(kind, title, "a video")
        return fit_video(probe, kind.videos, choice, f"{title} ({kind.words})")
    if not probe.animated:
        if kind.pictures is None:
            return _wrong_sort(kind, title, "a picture")
        return fit_picture(probe, kind.pictures, choice, f"{title} ({kind.words})", shape=shape)
    return _as_video(_fit_animation(probe, kind, title, choice, shape))


def _fit_animation(probe: Probe, kind: PostKind, title: str, choice: Choice, shape: float | None) -> Verdict:
    """As it is, as a video, or as a still: the first of these that works."""
    if kind.animations is not None and _moves(probe, kind.animations) and not _reshaped(probe, choice):
        return Fits()
    if kind.videos is not None:
        return fit_video(probe, kind.videos, choice, f"{title} ({kind.words})")
    if kind.stills and kind.pictures is not None:
        return fit_picture(probe, kind.pictures, choice, f"{title} ({kind.words})", shape=shape, still=True)
    if kind.animations is not None and _reshaped(probe, choice):
        return Cannot(because=f"{title} takes an animated picture only in its own shape.", code="shape")
    if kind.animations is not None:
        return Cannot(because=f"This animated picture is too large for {title}. Make it smaller.", code="too-large")
    return _wrong_sort(kind, title, "an animated picture")


def _as_video(verdict: Verdict) -> Verdict:
    """Says so first, where an animation becomes a video."""
    if not isinstance(verdict, Converts) or verdict.plan.step(Film) is None:
        return verdict
    return msgspec.structs.replace(verdict, changes=(AS_VIDEO, *verdict.changes))


def _reshaped(probe: Probe, choice: Choice) -> bool:
    """Whether it is to have another shape than its own, which no animation gets without becoming something else."""
    return choice.aspect is not None and not shapes.Room(exact=(choice.aspect,)).takes((probe.width, probe.height))


def _moves(probe: Probe, taken: Animations) -> bool:
    """Whether an animation is taken as it is."""
    pixels = probe.width * probe.height
    return (
        probe.mime in taken.types
        and probe.bytes <= taken.bytes
        and probe.width <= (taken.width or probe.width)
        and probe.height <= (taken.height or probe.height)
        and pixels <= (taken.pixels or pixels)
        and probe.frames <= (taken.frames or probe.frames)
        and pixels * probe.frames <= (taken.pixels_in_all or pixels * probe.frames)
    )


def _together(files: Sequence[File], kind: PostKind, title: str) -> Cannot | None:
    """What is wrong with their number or their mixture."""
    moving = [each.probe for each in files if each.probe.footage is not None or each.probe.animated]
    if len(files) > kind.most:
        if moving and kind.most == 1:
            what = "a video" if moving[0].footage is not None else "an animated picture"
            return Cannot(because=f"{title} takes {what} only on its own. Remove it or the others.", code="animated")
        over = len(files) - kind.most
        words = f"{title} takes {kind.most} files at most as {kind.words}. Remove {over}."
        return Cannot(because=words, code="too-many")
    if len(files) < kind.least:
        words = f"{title} wants {kind.least} files at least for {kind.words}. Add {kind.least - len(files)}."
        return Cannot(because=words, code="too-few")
    if not kind.mixed and moving and len(moving) < len(files):
        words = f"{title} does not take pictures and videos together as {kind.words}. Remove the one or the other."
        return Cannot(because=words, code="mixed")
    return None


def _wrong_sort(kind: PostKind, title: str, what: str) -> Cannot:
    words = f"{title} does not show {what} as {kind.words}. Choose another kind of post or another file."
    return Cannot(because=words, code="type")


def _distance(outcome: Outcome) -> tuple[bool, int, int]:
    """How far it is from going out: files of the wrong sort count most, unless all they need is to be alone."""
    refused = [each for each in outcome.files if isinstance(each, Cannot)]
    alone = outcome.because is not None and outcome.because.code == "animated"
    return not alone, sum(each.code == "type" for each in refused), len(refused) + (outcome.because is not None)


def renders(verdict: Verdict) -> bool:
    """Whether something has to be made before it can go out."""
    return isinstance(verdict, Converts)

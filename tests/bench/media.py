"""Awkward files on every platform: what is said to fit must be taken by rules that were written apart.

Each file comes in as it would through the API; for each kind of post of each platform it is said what becomes of it; a
plan is carried out once; and then the rules of the simulated platforms, taken from their sheets alone, look at what
would go out. A surprise is whatever they refuse, whatever could not be made although it was promised, and whatever is
refused without a sentence. `--sample` files, spread over all; `--full` for every one of them, which takes an hour:
`--into` a folder, it goes on where it was, and leaves pictures of all that was made there. Something else is measured
with `--memory`, what large files cost (`bulk`), and `--probe`, how soon it is known what a file is (`looks`).
"""

import argparse
import asyncio
import importlib
import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from social.errors import Invalid, Refused
from social.files import PostKind, Probe
from social.media.benches import Benches
from social.media.fit import File, fit_all
from social.media.kinds import ENOUGH, kind_of, video_kind_of
from social.media.plans import Cannot, Converts, Fits, Plan, Verdict
from social.media.probing import probe
from social.media.rendering import rendered
from social.media.sources import OnDisk
from social.platforms import AHEAD, PLATFORMS
from social.sandbox.files import Seen
from tests.bench import bulk, looks, sheet
from tests.media.corpus import Sample, every

SAMPLE = 24
KINDS: dict[str, tuple[str, tuple[PostKind, ...]]] = {
    **{name: (each.title, each.kinds(each.limits)) for name, each in PLATFORMS.items()},
    **AHEAD,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this bench."""
    parser.add_argument("--sample", type=int, default=SAMPLE, help="how many files, spread over all")
    parser.add_argument("--full", action="store_true", help="every file")
    parser.add_argument(
        "--into", type=Path, help="a folder for what came of each file; what is there is not done again"
    )
    parser.add_argument("--only", default="", help="only files with one of these, parted by commas, in their name")
    parser.add_argument("--memory", action="store_true", help="instead: memory and disk while large files come and go")
    parser.add_argument("--probe", action="store_true", help="instead: how long a look at a file in the bucket takes")
    parser.add_argument("--film-mb", type=float, default=1_000, help="of each film that is looked at, with it (1000)")
    parser.add_argument("--upload-mb", type=float, default=1_000, help="of each of eight uploads, with --memory (1000)")
    parser.add_argument("--outward-mb", type=float, default=480, help="of each film to a platform, likewise (480)")
    parser.add_argument("--converted-s", type=float, default=135, help="that the converted film lasts, likewise (135)")


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """Figures of the whole; each surprise is printed."""
    if args.probe:
        with tempfile.TemporaryDirectory(prefix="social-bench-films-") as films:
            return await looks.run(Path(films), args.film_mb)
    if args.memory:
        return await bulk.run(upload_mb=args.upload_mb, outward_mb=args.outward_mb, converted_s=args.converted_s)
    began = time.monotonic()
    samples = [each for each in every() if any(word in each.name for word in args.only.split(","))]
    if not args.full and not args.only:
        samples = samples[:: max(1, len(samples) // args.sample)]
    found, benches = Found(), Benches()
    if args.into is not None:
        args.into.mkdir(parents=True, exist_ok=True)
    for number, sample in enumerate(samples, start=1):
        found.add(await _tried_once(sample, benches, args.into))
        print(f"{number:4} of {len(samples)}  {time.monotonic() - began:6.0f} s  {sample.name}", flush=True)
    if args.into is not None:
        for page in await asyncio.to_thread(sheet.pages, args.into):
            print(page)
    return {
        "files": len(samples),
        "files_refused_in_words": found.files_refused,
        "combinations": found.combinations,
        "fit_as_they_are": found.fit,
        "converted": found.converted,
        "conversions": found.conversions,
        "refused_in_words": found.refused,
        "not_taken_as_they_came": found.needed,
        "surprises": len(found.surprises),
        "rss_mb_peak": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1),
        "child_rss_mb_peak": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6, 1),
        "seconds": round(time.monotonic() - began, 1),
    }


class Found(msgspec.Struct):
    """What came of a file, or of all."""

    files_refused: int = 0
    combinations: int = 0
    fit: int = 0
    converted: int = 0
    conversions: int = 0
    refused: int = 0
    needed: int = 0
    surprises: list[str] = []

    def surprise(self, what: str) -> None:
        """Takes note of one, and shows it at once."""
        self.surprises.append(what)
        print(f"SURPRISE {what}", flush=True)

    def add(self, other: "Found") -> None:
        """The one and the other."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


async def _tried_once(sample: Sample, benches: Benches, into: Path | None) -> Found:
    """What comes of a file, or came of it before."""
    kept = into / f"{sample.name.replace(' ', '_')}.json" if into is not None else None
    if kept is not None and kept.exists():
        return msgspec.json.decode(kept.read_bytes(), type=Found)
    found = Found()
    strip = kept.with_suffix(".strip.png") if kept is not None else None
    with tempfile.TemporaryDirectory(prefix="social-corpus-") as folder:
        await _tried(sample, Path(folder), found, benches, strip)
    if kept is not None:
        kept.write_bytes(msgspec.json.encode(found))
    return found


async def _tried(sample: Sample, folder: Path, found: Found, benches: Benches, strip: Path | None) -> None:
    """One file on every platform."""
    path = await asyncio.to_thread(sample.made, folder)
    raw = folder / "raw"
    os.link(path, raw)
    try:
        clean, facts = await _taken(path, folder / "clean", benches)
    except Refused as refused:
        found.files_refused += 1
        if not refused.sentence.endswith(".") or refused.facts.get("code") == "too-hard":
            found.surprise(f"{sample.name} came in: {refused.sentence}")
        return
    made: dict[str, Path | None] = {}
    words: dict[Path, str] = {}
    seen: dict[Path, Seen | str] = {}
    for platform, (title, kinds) in KINDS.items():
        refusal = importlib.import_module(f"social.sandbox.{platform}.files").refusal
        for kind in kinds:
            found.combinations += 1
            about = f"{sample.name} on {platform} as {kind.words}"
            outcome = fit_all([File(probe=facts)] * kind.least, kind, title)
            verdict = outcome.files[0]
            if clean not in seen:
                seen[clean] = await asyncio.to_thread(_seen, clean)
            if not isinstance(verdict, Fits) and _ruled(refusal, kind, seen[clean]) is not None:
                found.needed += 1
            if isinstance(verdict, Cannot):
                found.refused += 1
                if not verdict.because.endswith("."):
                    found.surprise(f"{about}: {verdict.because}")
                continue
            if outcome.because is not None:
                found.surprise(f"{about}: {outcome.because.because}")
                continue
            goes_out = await _going_out(verdict, clean, facts, made, folder, found, about)
            if goes_out is not None:
                if isinstance(verdict, Converts):
                    words.setdefault(goes_out, f"{platform} {kind.name}: {' '.join(verdict.changes)}")
                if goes_out not in seen:
                    seen[goes_out] = await asyncio.to_thread(_seen, goes_out)
                if (said := _ruled(refusal, kind, seen[goes_out])) is not None:
                    found.surprise(f"{about}: {said}")
    if strip is not None:
        came = [sheet.Shown(raw, "as it came"), sheet.Shown(clean, "as it is kept")]
        shown = [*came, *(sheet.Shown(path, words[path]) for path in made.values() if path)]
        await asyncio.to_thread(sheet.strip, sample.name, shown, strip)


async def _taken(path: Path, clean: Path, benches: Benches) -> tuple[Path, Probe]:
    """The file as it rests in the bucket once it has come in, and what it is."""
    head = path.read_bytes()[:ENOUGH]
    kind = kind_of(head)
    if kind is None or video_kind_of(head) is not None:
        with path.open("rb") as file:
            facts = await probe(OnDisk(file))
        return path.replace(clean), facts
    with path.open("rb") as source, clean.open("w+b") as target, tempfile.TemporaryFile() as thumbnail:
        if not path.stat().st_size:
            raise Invalid("This file is empty.", code="empty")
        made = await benches.work(kind, source, target, thumbnail)
    return clean, made.probe


async def _going_out(
    verdict: Verdict,
    clean: Path,
    facts: Probe,
    made: dict[str, Path | None],
    folder: Path,
    found: Found,
    about: str,
) -> Path | None:
    if not isinstance(verdict, Converts):
        found.fit += 1
        return clean
    found.converted += 1
    key = verdict.plan.key
    if key not in made:
        found.conversions += 1
        made[key] = await _rendered(verdict.plan, clean, facts, folder / key[:32], found, about)
    return made[key]


async def _rendered(plan: Plan, clean: Path, facts: Probe, target: Path, found: Found, about: str) -> Path | None:
    with clean.open("rb") as source, target.open("w+b") as written:
        try:
            await rendered(plan, facts, source, written, lambda done: None)
        except Refused as refused:
            found.surprise(f"{about}: {refused.sentence} {plan.steps}")
            return None
    return target


Refusal = Callable[[str, Sequence[Seen]], str | None]


def _seen(path: Path) -> Seen | str:
    try:
        return Seen(path)
    except ValueError as unreadable:
        return str(unreadable)


def _ruled(refusal: Refusal, kind: PostKind, file: Seen | str) -> str | None:
    """What the platform's own rules say against it."""
    return file if isinstance(file, str) else refusal(kind.name, [file] * kind.least)

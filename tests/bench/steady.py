"""So many posts a second, each due at an instant of its own: how late is a post on an ordinary day?

With `--media-mb` up to 5 each post shows a picture of that size. With more, some posts on X show a video of that size,
which X has been given ahead of time, and the others are text as ever: side by side in one run, so that the lateness of
those with a video can be compared with that of text on X.
"""

import argparse
import asyncio
import tempfile
import time
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from random import randbytes
from typing import Any

from PIL import Image

from social.backing import Backing
from social.platforms.contract import MediaItem
from social.publishing.documents import Publication
from social.publishing.states import State
from tests.bench import client, crowd, footage
from tests.bench.load import BEGIN, ROWS, add_latency, add_platforms, measured, soon, usual_crowd
from tests.bench.outcome import Outcome
from tests.bench.stage import Stage, staged

UPLOADS_MB = 20  # megabytes of pictures that are certainly uploaded in a second
VIDEOS_MB = 60  # and of videos, in chunks of a megabyte; twice that on an idle machine
PICTURE_MOST = 5  # megabytes; what is larger is a video
VIDEO_KBPS = 30_000
JPEG, MP4 = "image/jpeg", "video/mp4"
LOOK = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--rate", type=float, default=50, help="posts a second (50)")
    parser.add_argument("--seconds", type=float, default=60, help="for how long (60)")
    add_platforms(parser)
    add_latency(parser, 50)
    parser.add_argument("--media-mb", type=float, default=0, help="a picture of so many megabytes with each (0: none)")
    parser.add_argument("--videos", type=int, default=100, help="posts with a video, if more than 5 megabytes (100)")
    parser.add_argument("--instances", type=int, default=1, help="of the product, on the same core (1)")


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """Plans them over the time, files are prepared before it begins, waits until all are out, and counts."""
    posts = round(args.rate * args.seconds)
    with_videos = args.media_mb > PICTURE_MOST
    async with staged(instances=args.instances) as stage:
        bare = await client.cpu_s_per_1000(stage.sink.url, stage.cores)
        await stage.sink.reset(latency_ms=args.latency_ms)
        groups = await usual_crowd(stage, args.platforms)
        pictures = (await pictured(stage.backing, args.media_mb),) if args.media_mb and not with_videos else ()
        preparing = timedelta(seconds=posts * args.platforms * args.media_mb / UPLOADS_MB if pictures else 0)
        if with_videos:
            preparing = timedelta(seconds=30 + args.videos * args.media_mb / VIDEOS_MB)
        begins, over = soon(posts * args.platforms) + preparing, timedelta(seconds=args.seconds)
        title = f"{args.rate:g} posts a second on {args.platforms} platforms for {args.seconds:g} s; a platform takes "
        title += f"{args.latency_ms:g} ms"
        if not with_videos:
            expected = await crowd.planned(groups, posts, begins, over=over, media=pictures)
            return await measured(stage, expected, begins, begins + over, bare=bare, name="steady", title=title)
        beside = Beside(stage, await filmed(stage.backing, args.media_mb), args.videos)
        return await beside.measured(groups, posts, begins, over, bare=bare, title=title)


class Beside:
    """Posts with a video beside posts of text."""

    def __init__(self, stage: Stage, film: MediaItem, count: int) -> None:
        self._stage = stage
        self._film = film
        self._count = count

    async def measured(
        self, groups: list[crowd.Group], posts: int, begins: datetime, over: timedelta, *, bare: float, title: str
    ) -> dict[str, Any]:
        """The usual figures of both, and of each the lateness on X."""
        film, stage = self._film, self._stage
        watchers = await crowd.gathered(
            stage.backing, workspaces=len(groups), rows=ROWS, platforms=("x",), first=len(groups)
        )
        videos = await crowd.planned(watchers, self._count, begins, over=over, media=(film,))
        began = time.monotonic()
        expected = await crowd.planned(groups, posts, begins, over=over)
        prepared_s = await self._prepared(began, begins)
        title = f"{title}; {self._count} posts with a video of {film.bytes / 1e6:.0f} MB among them"
        figures = await measured(stage, expected | videos, begins, begins + over, bare=bare, name="steady", title=title)
        arrived = await stage.sink.arrivals()
        on_x = {id: expected[id] for id in await self._on_x() if id in expected}
        text, shown = Outcome.of(on_x, arrived).lateness(), Outcome.of(videos, arrived).lateness()
        return {
            **figures,
            "video_mb": round(film.bytes / 1e6, 1),
            "videos": len(videos),
            "texts_on_x": len(on_x),
            **{f"{name}_text": value for name, value in text.items()},
            **{f"{name}_video": value for name, value in shown.items()},
            "late_ratio_p50": round(shown["late_ms_p50"] / text["late_ms_p50"], 3),
            "late_ratio_p99": round(shown["late_ms_p99"] / text["late_ms_p99"], 3),
            "prepared_s": round(prepared_s, 1),
            "prepared_mb_per_s": round(len(videos) * film.bytes / 1e6 / prepared_s, 1),
        }

    async def _prepared(self, began: float, begins: datetime) -> float:
        """Waits until X has all videos; the seconds that took. RuntimeError if it is not ahead of time."""
        waiting = {"content.media": {"$ne": []}, "state": {"$ne": State.PREPARED}}
        while await Publication.engine().find_one(waiting, {"_id": 1}) is not None:
            if time.time() > begins.timestamp() - 2 * BEGIN:
                raise RuntimeError("The videos were not uploaded ahead of time; the machine is too busy for this.")
            await asyncio.sleep(LOOK)
        return time.monotonic() - began

    async def _on_x(self) -> list[str]:
        return [str(each["_id"]) async for each in Publication.engine().find({"platform": "x"}, {"_id": 1})]


async def pictured(backing: Backing, megabytes: float) -> MediaItem:
    """A JPEG of that size in the bucket: a small one, and noise after its end, which readers pass over."""
    file = BytesIO()
    Image.new("RGB", (64, 48), "teal").save(file, "JPEG")
    picture = file.getvalue() + randbytes(max(0, round(megabytes * 1e6) - file.tell()))
    key = "w/bench/m/picture"
    await backing.bucket.put(key, picture, mime=JPEG, size=len(picture))
    return MediaItem(media_id="0" * 24, key=key, mime=JPEG, bytes=len(picture), width=64, height=48)


async def filmed(backing: Backing, megabytes: float) -> MediaItem:
    """A film of that size in the bucket."""
    key = "w/bench/m/film"
    with tempfile.TemporaryDirectory(prefix="social-bench-film-") as folder:
        film = await footage.film(Path(folder, "film.mp4"), kbps=VIDEO_KBPS, megabytes=megabytes)
        size = film.stat().st_size
        await backing.bucket.put(key, film, mime=MP4, size=size)
    return MediaItem(media_id="0" * 24, key=key, mime=MP4, bytes=size, width=1280, height=720)

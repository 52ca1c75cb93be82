"""So many posts a second, each due at an instant of its own: how late is a post on an ordinary day?"""

import argparse
from datetime import timedelta
from io import BytesIO
from random import randbytes
from typing import Any

from PIL import Image

from social.backing import Backing
from social.platforms.contract import MediaItem
from tests.bench import client, crowd
from tests.bench.load import add_latency, add_platforms, measured, soon, usual_crowd
from tests.bench.stage import staged

UPLOADS_MB = 20  # megabytes of pictures that are certainly uploaded in a second
JPEG = "image/jpeg"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--rate", type=float, default=50, help="posts a second (50)")
    parser.add_argument("--seconds", type=float, default=60, help="for how long (60)")
    add_platforms(parser)
    add_latency(parser, 50)
    parser.add_argument("--media-mb", type=float, default=0, help="a picture of so many megabytes with each (0: none)")
    parser.add_argument("--instances", type=int, default=1, help="of the product, on the same core (1)")


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """Plans them over the time, pictures are prepared before it begins, waits until all are out, and counts."""
    posts = round(args.rate * args.seconds)
    async with staged(instances=args.instances) as stage:
        bare = await client.cpu_s_per_1000(stage.sink.url, stage.cores)
        await stage.sink.reset(latency_ms=args.latency_ms)
        groups = await usual_crowd(stage, args.platforms)
        media = (await pictured(stage.backing, args.media_mb),) if args.media_mb else ()
        preparing = timedelta(seconds=posts * args.platforms * args.media_mb / UPLOADS_MB)
        begins, over = soon(posts * args.platforms) + preparing, timedelta(seconds=args.seconds)
        expected = await crowd.planned(groups, posts, begins, over=over, media=media)
        title = f"{args.rate:g} posts a second on {args.platforms} platforms for {args.seconds:g} s; a platform takes "
        title += f"{args.latency_ms:g} ms"
        return await measured(stage, expected, begins, begins + over, bare=bare, name="steady", title=title)


async def pictured(backing: Backing, megabytes: float) -> MediaItem:
    """A JPEG of that size in the bucket: a small one, and noise after its end, which readers pass over."""
    file = BytesIO()
    Image.new("RGB", (64, 48), "teal").save(file, "JPEG")
    picture = file.getvalue() + randbytes(max(0, round(megabytes * 1e6) - file.tell()))
    key = "w/bench/m/picture"
    await backing.bucket.put(key, picture, mime=JPEG, size=len(picture))
    return MediaItem(media_id="0" * 24, key=key, mime=JPEG, bytes=len(picture), width=64, height=48)

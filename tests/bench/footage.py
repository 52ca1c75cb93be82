"""Real films of any size for benches: a few seconds are drawn and encoded, and then shown again and again.

Nothing in them is sparse: each byte is a byte of an encoded picture or of the sound, and every frame is in the index.
"""

import asyncio
from pathlib import Path

from tests.media.films import ffmpeg

SECONDS = 4.0  # that are encoded
NOISE = "color=gray:s={size}:r=30:d={seconds},noise=alls=100:allf=t+u,format=yuv420p"
H264 = "-c:v libx264 -preset ultrafast -g 30 -bf 0"


async def film(
    path: Path,
    *,
    kbps: int,
    megabytes: float = 0,
    seconds: float = 0,
    size: str = "1280x720",
    encoder: str = H264,
    more: str = "",
) -> Path:
    """A film of about so many kilobits a second in `path`, whose ending says in which container: of so many megabytes
    (10^6 bytes) or, if they are told instead, seconds. `more`: of ffmpeg's options for the container."""
    await asyncio.to_thread(_film, path, kbps, megabytes, seconds, size, encoder, more)
    return path


def _film(path: Path, kbps: int, megabytes: float, seconds: float, size: str, encoder: str, more: str) -> None:
    once = path.with_name(f"once-{path.stem}.mkv")
    drawn, sound = NOISE.format(size=size, seconds=SECONDS), f"sine=f=440:r=48000:d={SECONDS}"
    rate = f"-b:v {kbps}k -maxrate {kbps}k -bufsize {kbps}k".split()
    ffmpeg("-f", "lavfi", "-i", drawn, "-f", "lavfi", "-i", sound, *encoder.split(), *rate, "-c:a", "aac", once)
    try:
        seconds = seconds or megabytes * 1e6 / once.stat().st_size * SECONDS
        ffmpeg("-stream_loop", "-1", "-i", once, "-t", f"{seconds:.3f}", "-c", "copy", *more.split(), path)
    finally:
        once.unlink()

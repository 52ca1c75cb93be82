"""X's uploads as the product uses them: pictures in one request, videos in chunks. Nothing of a file is kept but what a
platform compares: how many bytes were promised, how many came, in which segments.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from tests.bench.sink.wire import Request, answer

UPLOAD = "/x/2/media/upload"
LIVES = 86_400  # seconds
WORKS = 1.0  # seconds that X works on a video
INDEX = re.compile(rb'name="segment_index"\r\n(?:[^\r]+\r\n)*\r\n(\d+)')
FILE = re.compile(rb'name="media"[^\r]*\r\n(?:[^\r]+\r\n)*\r\n')
HEAD = 1_000  # bytes in which a form says what it holds


class Promised(msgspec.Struct):
    """What a video is to be."""

    total_bytes: int
    media_category: str


class Video(msgspec.Struct):
    """One that is on its way, or there from the instant `ready_at` on (s since 1970)."""

    total: int
    segments: dict[int, int]
    ready_at: float | None = None


class Uploads:
    """Of all users; ids are made by `new_id` of the present instant."""

    def __init__(self, new_id: Callable[[float], str]) -> None:
        self._new_id = new_id
        self._videos: dict[str, Video] = {}
        self._pictures: set[str] = set()

    def answer(self, request: Request) -> bytes | None:
        """What X answers; None where it has no such path."""
        match request.path.removeprefix(UPLOAD).strip("/").split("/"):
            case [""] if request.method == "GET":
                return self._status(request.asked.get("media_id", ""), request.at)
            case [""]:
                return self._picture(request.at)
            case ["initialize"]:
                return self._begun(msgspec.json.decode(request.body, type=Promised), request.at)
            case [id, "append"] if id in self._videos:
                return self._appended(self._videos[id], request)
            case [id, "finalize"] if id in self._videos:
                return self._whole(id, request.at)
        return None

    def usable(self, ids: tuple[str, ...], at: float) -> bool:
        """Whether a post may show these."""
        return all(id in self._pictures or self._is_ready(id, at) for id in ids)

    def _is_ready(self, id: str, at: float) -> bool:
        video = self._videos.get(id)
        return video is not None and video.ready_at is not None and video.ready_at <= at

    def _picture(self, at: float) -> bytes:
        id = self._new_id(at)
        self._pictures.add(id)
        return answer(200, {"data": {"id": id, "media_key": f"3_{id}", "expires_after_secs": LIVES}})

    def _begun(self, promised: Promised, at: float) -> bytes:
        id = self._new_id(at)
        self._videos[id] = Video(total=promised.total_bytes, segments={})
        return answer(200, {"data": {"id": id, "media_key": f"13_{id}", "expires_after_secs": LIVES}})

    def _appended(self, video: Video, request: Request) -> bytes:
        head = request.body[:HEAD]
        index, file = INDEX.search(head), FILE.search(head)
        if index is None or file is None:
            return refused("segment_index and media are required.")
        boundary = request.body[: request.body.index(b"\r\n")]
        end = request.body.rindex(b"\r\n" + boundary, file.end())
        video.segments[int(index[1])] = end - file.end()
        return answer(200, {"data": {"expires_at": int(request.at) + LIVES}})

    def _whole(self, id: str, at: float) -> bytes:
        video = self._videos[id]
        if sorted(video.segments) != list(range(len(video.segments))) or sum(video.segments.values()) != video.total:
            return refused("Segments do not add up to provided total file size.")
        video.ready_at = at + WORKS
        return answer(200, {"data": self._shown(id, video) | {"processing_info": _works("pending")}})

    def _status(self, id: str, at: float) -> bytes | None:
        video = self._videos.get(id)
        if video is None or video.ready_at is None:
            return None
        info = _works("in_progress") if at < video.ready_at else {"state": "succeeded", "progress_percent": 100}
        return answer(200, {"data": self._shown(id, video) | {"processing_info": info}})

    def _shown(self, id: str, video: Video) -> dict[str, Any]:
        return {"id": id, "media_key": f"13_{id}", "size": video.total, "expires_after_secs": LIVES}


def refused(why: str) -> bytes:
    """A 400 in X's form."""
    return answer(400, {"title": "Invalid Request", "detail": why, "type": "about:blank", "status": 400})


def _works(state: str) -> dict[str, Any]:
    return {"state": state, "check_after_secs": 1}

"""Files: what is taken, what is refused, and what is told about them."""

import io
import os
from collections.abc import Callable

import pillow_heif
import pytest
import requests
from PIL import Image

from tests.sandbox.conftest import MP4, Caller, moving_gif, picture, png
from tests.servers.sandbox import Sandbox


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
def test_pictures_are_ready_at_once_with_their_size(caller: Caller, kind: str) -> None:
    reply = caller.upload(picture(kind, 40, 30), "application/octet-stream", description="tiny", focus="0.5,-0.25")

    media = reply.json()
    assert (reply.status_code, media["type"], media["description"]) == (200, "image", "tiny")
    assert media["meta"]["original"] == {"width": 40, "height": 30, "size": "40x30", "aspect": 40 / 30}
    assert media["meta"]["focus"] == {"x": 0.5, "y": -0.25}
    assert len(media["blurhash"]) == 6
    for url in (media["url"], media["preview_url"]):
        file = requests.get(url, timeout=10)
        assert file.status_code == 200
        assert file.headers["x-content-type-options"] == "nosniff"
        assert Image.open(io.BytesIO(file.content)).size == (40, 30)


def test_heic_is_taken(caller: Caller) -> None:
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), "teal")).save(file, quality=50)
    reply = caller.upload(file.getvalue(), "image/heic")
    assert reply.status_code == 200, reply.text
    assert requests.get(reply.json()["url"], timeout=10).headers["content-type"] == "image/jpeg"


def test_a_picture_is_turned_as_its_exif_says(caller: Caller) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    media = caller.upload(picture("JPEG", 40, 30, exif=exif), "image/jpeg").json()
    assert media["meta"]["original"]["size"] == "30x40"


def test_a_large_picture_is_scaled_down_and_a_larger_one_refused(caller: Caller) -> None:
    fitting = caller.upload(picture("JPEG", 7680, 4320), "image/jpeg")
    too_large = caller.upload(picture("JPEG", 7681, 4320), "image/jpeg")

    original = fitting.json()["meta"]["original"]
    assert original["width"] * original["height"] <= 8_300_000
    assert original["width"] / original["height"] == pytest.approx(16 / 9, rel=0.01)
    assert (too_large.status_code, too_large.json()["error"]) == (422, "7681x4320 images are not supported")


def test_a_file_too_big_for_its_kind(caller: Caller) -> None:
    padded = png() + os.urandom(16_777_216)
    assert caller.upload(padded).status_code == 422
    assert caller.upload(png() + b"\0" * (16_777_216 - len(png()))).status_code == 200


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", png()[:-30], png()[:20], b"\xff\xd8\xff\xe0broken"],
)
def test_what_is_no_picture_is_refused_whatever_it_says_it_is(caller: Caller, sandbox: Sandbox, data: bytes) -> None:
    reply = caller.upload(data, "image/png")
    assert (reply.status_code, reply.json()["error"]) == (422, "File type of uploaded media could not be verified")
    assert not any((sandbox.folder / "incoming").iterdir())
    assert not any((sandbox.folder / "media").iterdir())


def test_no_file_is_refused(caller: Caller) -> None:
    assert caller.post("/api/v2/media", data={"description": "where is it?"}).status_code == 422


@pytest.mark.parametrize(("version", "limit"), [("4.6.4", 10_000), ("4.5", 1_500)])
def test_an_alt_text_has_a_limit(caller: Caller, sandbox: Sandbox, version: str, limit: int) -> None:
    sandbox.trouble(mastodon={"version": version})
    assert caller.upload(png(), description="ä" * limit).status_code == 200
    assert caller.upload(png(), description="ä" * (limit + 1)).status_code == 422
    sandbox.trouble(mastodon={"version": version, "alt_too_long": "cut"})
    assert len(caller.upload(png(), description="ä" * (limit + 1)).json()["description"]) == limit


def test_before_a_post_has_it_a_file_can_be_described_and_thrown_away(
    caller: Caller, as_person: Callable[..., Caller]
) -> None:
    media = caller.upload(png()).json()
    path = f"/api/v1/media/{media['id']}"
    stranger = as_person("stranger")

    described = caller("PUT", path, data={"description": "now it has one", "focus": "nan,9"})
    assert (described.status_code, described.json()["description"]) == (200, "now it has one")
    assert described.json()["meta"]["focus"] == {"x": 0.0, "y": 0.0}
    assert stranger("PUT", path, data={"description": "mine"}).status_code == 404
    assert stranger("DELETE", path).status_code == 404

    posted = caller.status(media_ids=[media["id"]])
    assert posted.json()["media_attachments"][0]["description"] == "now it has one"
    assert caller("PUT", path, data={"description": "too late"}).status_code == 404
    assert caller("DELETE", path).status_code == 422
    assert caller.get(path).status_code == 404

    unused = caller.upload(png()).json()
    assert caller("DELETE", f"/api/v1/media/{unused['id']}").status_code == 200
    assert caller.get(f"/api/v1/media/{unused['id']}").status_code == 404
    assert requests.get(unused["url"], timeout=10).status_code == 404


def test_audio_and_video_are_told_apart_by_content(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.trouble(mastodon={"processing": 0})
    kinds = {
        caller.upload(data, "application/octet-stream").json()["type"]
        for data in (MP4, b"ID3\x03" + b"\0" * 200, b"fLaC" + b"\0" * 200, b"RIFF\0\0\0\0WAVE" + b"\0" * 200)
    }
    assert kinds == {"video", "audio"}


def test_an_animation_over_a_megapixel_is_refused(caller: Caller) -> None:
    assert caller.upload(moving_gif(100, 100), "image/gif").status_code == 202
    assert caller.upload(moving_gif(1001, 1000), "image/gif").status_code == 422


def test_images_too_can_take_their_time(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.trouble(mastodon={"image_processing": 60})
    reply = caller.upload(png())
    assert (reply.status_code, reply.json()["url"], reply.json()["blurhash"]) == (202, None, None)
    assert caller.get(f"/api/v1/media/{reply.json()['id']}").status_code == 206


@pytest.mark.parametrize("name", ["../../sandbox.db", "..%2F..%2Fsandbox.db", "original.png"])
def test_no_path_leads_out_of_the_folder(caller: Caller, anybody: Caller, name: str) -> None:
    media = caller.upload(png()).json()
    path = f"/system/media_attachments/files/{media['id']}/original/{name}"
    assert anybody.get(path).status_code == 404


def test_more_than_the_proxy_lets_through_is_a_413_in_html(caller: Caller) -> None:
    reply = caller.post("/api/v2/media", data=b"", headers={"Content-Length": str(200 * 2**20)})
    assert reply.status_code == 413
    assert reply.headers["content-type"].startswith("text/html")

"""Files that fit nowhere as they are, planned once and taken everywhere."""

import io
from pathlib import Path
from typing import Any

import pytest

from social.backing import Backing
from social.jobs.running import Running
from social.media.renditions import Rendition
from social.publishing.documents import Publication
from tests.journeys.steps import added
from tests.media import awkward
from tests.media.films import film
from tests.servers.product import Person
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PLATFORMS = ("mastodon", "x", "bluesky")
Json = dict[str, Any]


async def accounts(person: Person, sandbox: Sandbox) -> list[str]:
    return [(await person.connect(sandbox, "ada", platform))["id"] for platform in PLATFORMS]


async def verdicts(person: Person, post: Json) -> list[str]:
    asked = {
        "text": post["text"],
        "accounts": post["accounts"],
        "media": [{"id": each["id"]} for each in post["media"]],
    }
    checked = await person.ask("POST", "/posts/checks", json=asked)
    assert all(each["problems"] == [] for each in checked)
    return [each["files"][0]["verdict"] for each in checked]


async def test_a_picture_too_heavy_for_one_is_saved_smaller_for_that_one_alone(
    person: Person, sandbox: Sandbox, engine: Running, backing: Backing
) -> None:
    heavy = awkward.written(awkward.noise(1400, 1100), "JPEG", quality=95)
    media = await person.ask("POST", "/media", params={"name": "heavy.jpg"}, data=io.BytesIO(heavy))
    assert media["bytes"] > 1_000_000
    where = await accounts(person, sandbox)
    post = await person.write("with a heavy picture", *where, media=({"id": media["id"], "alt": "noise"},))

    assert sorted(await verdicts(person, post)) == ["converts", "fits", "fits"]
    planned = await person.plan(post, now=True)
    await person.until(planned, "online", within=120)

    made = await Rendition.find_all().to_list()
    assert [each.state for each in made] == ["ready"]
    sent = {each.platform: each.content.media[0] for each in await Publication.find_all().to_list()}
    assert sent["bluesky"].key == made[0].key
    assert sent["x"].key == sent["mastodon"].key != made[0].key


async def test_a_video_of_a_kind_that_nobody_takes_goes_out_on_all(
    person: Person, sandbox: Sandbox, engine: Running, backing: Backing, tmp_path: Path
) -> None:
    video = "-c:v prores_ks -profile:v 3"
    media = await added(film(tmp_path / "holiday.mov", video=video, audio="-c:a pcm_s16le"), backing)
    where = await accounts(person, sandbox)
    post = await person.write("with a video", *where, media=({"id": str(media.id), "alt": "colours"},))

    assert await verdicts(person, post) == ["converts"] * 3
    planned = await person.plan(post, now=True)
    await person.until(planned, "online", within=180)

    assert {each.state for each in await Rendition.find_all().to_list()} == {"ready"}
    sent = [each.content.media[0] for each in await Publication.find_all().to_list()]
    assert {each.mime for each in sent} == {"video/mp4"}


async def test_a_video_that_cannot_go_out_is_refused_in_words_before_it_is_planned(
    person: Person, sandbox: Sandbox, backing: Backing, tmp_path: Path
) -> None:
    media = await added(film(tmp_path / "long.mp4", seconds=150, size=(64, 64), fps="5", audio=None), backing)
    account = await person.connect(sandbox, "ada", "x")
    attached = {"id": str(media.id)}
    asked: Json = {"text": "long", "accounts": [account["id"]], "media": [attached]}

    refused = (await person.ask("POST", "/posts/checks", json=asked))[0]
    trimmed = (
        await person.ask("POST", "/posts/checks", json=asked | {"media": [attached | {"fit": {"start": 5, "end": 90}}]})
    )[0]

    assert [(each["pointer"], each["code"]) for each in refused["problems"]] == [("/media/0", "too-long")]
    assert "takes 2:20 at most" in refused["files"][0]["because"]
    assert trimmed["problems"] == []
    assert trimmed["files"][0]["changes"][0] == "It is cut: from 5 seconds to 1:30."


async def test_what_becomes_of_an_animation_is_said_before_it_is_sent(
    person: Person, sandbox: Sandbox, backing: Backing
) -> None:
    """It moves on wherever it can: as it is, or as a video where that is the only way; beside pictures it may not."""
    files = {"gif": awkward.moving_gif(), "jpg": awkward.jpeg()}
    gif, jpg = [
        {"id": (await person.ask("POST", "/media", params={"name": f"a.{end}"}, data=io.BytesIO(body)))["id"]}
        for end, body in files.items()
    ]
    where = dict(zip(await accounts(person, sandbox), PLATFORMS, strict=True))
    asked: Json = {"text": "a wave", "accounts": list(where)}

    async def said(*media: Json) -> dict[str, tuple[str, str, list[str]]]:
        checked = await person.ask("POST", "/posts/checks", json=asked | {"media": list(media)})
        return {
            where[each["account_id"]]: (
                each["files"][0]["verdict"],
                " ".join([*each["files"][0]["changes"], *(wrong["detail"] for wrong in each["problems"])]),
                each["notes"],
            )
            for each in checked
        }

    alone, beside = await said(gif), await said(gif, jpg)

    assert [alone[name][0] for name in PLATFORMS] == ["fits", "fits", "converts"]
    assert alone["bluesky"][1].startswith("The animation becomes a video.")
    assert alone["bluesky"][2] == []
    assert beside["bluesky"][1].startswith("It stands still: only its first frame is shown.")
    assert beside["bluesky"][2] == []
    for name in ("mastodon", "x"):
        assert "takes an animated picture only on its own. Remove it or the others." in beside[name][1]

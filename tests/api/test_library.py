"""The library: files are found by what is said of them, when they came, what they are, and their very content."""

import io
from typing import Any

import pytest

from social.backing import Backing
from social.media.words import beginnings, folded, tidy_tags, words
from tests.media import awkward
from tests.media.test_uploads import film
from tests.pictures import jpeg
from tests.servers.product import Person
from tests.servers.sandbox import Sandbox

Json = dict[str, Any]


async def found(person: Person, **wanted: str) -> list[str]:
    return [each["name"] for each in (await person.ask("GET", "/media", params=wanted))["items"]]


async def send_film(person: Person, name: str, file: bytes) -> Json:
    upload = await person.ask("POST", "/uploads", json={"name": name, "bytes": len(file)})
    await person.ask("PUT", f"/uploads/{upload['id']}/parts/1", data=io.BytesIO(file))
    media: Json = await person.ask("POST", f"/uploads/{upload['id']}/media")
    return media


async def test_files_are_found_by_beginnings_of_what_is_said_of_them(person: Person) -> None:
    bread = await person.upload(jpeg(), "IMG_2041.jpg")
    await person.upload(jpeg(40, 30), "café-terrace.jpg")
    await person.ask("PATCH", f"/media/{bread['id']}", json={"alt": "Fresh Bread on a table", "tags": ["Bäckerei"]})

    assert await found(person, text="bread") == ["IMG_2041.jpg"]
    assert await found(person, text="TAB fre") == ["IMG_2041.jpg"]
    assert await found(person, text="backer") == ["IMG_2041.jpg"]
    assert await found(person, text="cafe") == ["café-terrace.jpg"]
    assert await found(person, text="ead") == []
    assert await found(person, text="bread cafe") == []
    assert await found(person, text="img 2041") == ["IMG_2041.jpg"]
    assert await found(person, text="(.*") == await found(person)
    assert await found(person, tag="Bäckerei") == ["IMG_2041.jpg"]
    await person.ask("PATCH", f"/media/{bread['id']}", json={"name": "bread.jpg", "tags": []})
    assert await found(person, text="img") == []
    assert await found(person, tag="Bäckerei") == []
    assert (await person.ask("GET", f"/media/{bread['id']}"))["alt"] == "Fresh Bread on a table"


async def test_files_are_found_by_what_they_are_and_when_they_came(person: Person) -> None:
    await person.upload(jpeg(), "still.jpg")
    await person.upload(awkward.moving_gif(), "moving.gif")
    video = await send_film(person, "film.mp4", film(10_000))

    assert await found(person, kind="picture") == ["still.jpg"]
    assert await found(person, kind="animation") == ["moving.gif"]
    assert await found(person, kind="video") == ["film.mp4"]
    assert await found(person, since=video["created_at"]) == ["film.mp4"]
    assert await found(person, until=video["created_at"], kind="picture") == ["still.jpg"]
    page = await person.ask("GET", "/media", params={"limit": "1", "text": "m"})
    rest = await person.ask("GET", "/media", params={"limit": "1", "text": "m", "cursor": page["next"]})
    assert [each["name"] for each in page["items"] + rest["items"]] == ["film.mp4", "moving.gif"]


async def test_the_same_content_is_known_again_whatever_it_is_called(person: Person) -> None:
    file, movie = jpeg(), film(10_000)
    one, other = await person.upload(file, "a.jpg"), await person.upload(file, "b.jpg")
    await person.upload(jpeg(32, 32), "c.jpg")
    first, second = await send_film(person, "d.mp4", movie), await send_film(person, "e.mp4", movie)

    assert await found(person, copied="true") == ["e.mp4", "d.mp4", "b.jpg", "a.jpg"]
    seen = {each["id"]: each["copies"] for each in (await person.ask("GET", "/media"))["items"]}
    assert (seen[one["id"]], seen[first["id"]]) == ([other["id"]], [second["id"]])
    await person.ask("DELETE", f"/media/{other['id']}")
    await person.ask("DELETE", f"/media/{second['id']}")
    assert await found(person, copied="true") == []


async def test_a_file_says_which_posts_show_it(person: Person) -> None:
    media = await person.upload(jpeg())
    assert await person.ask("GET", f"/media/{media['id']}/posts") == []
    draft = await person.write("x" * 300, media=({"id": media["id"]},))

    [use] = await person.ask("GET", f"/media/{media['id']}/posts")

    assert use == {"id": draft["id"], "text": "x" * 120, "state": "draft", "due_at": None}
    assert (await person.ask("GET", f"/media/{media['id']}"))["uses"] == 1


async def test_what_a_planned_post_says_of_a_file_stays_with_it_unless_somebody_said_something(
    person: Person, sandbox: Sandbox
) -> None:
    account = await person.connect(sandbox)
    silent, described = await person.upload(jpeg()), await person.upload(jpeg(40, 30))
    await person.ask("PATCH", f"/media/{described['id']}", json={"alt": "of its own"})
    shown = ({"id": silent["id"], "alt": "a gradient"}, {"id": described["id"], "alt": "in this post"})
    draft = await person.write("look", account["id"], media=shown)
    assert (await person.ask("GET", f"/media/{silent['id']}"))["alt"] == ""

    await person.plan(draft, at="2031-01-01T00:00:00Z")

    assert (await person.ask("GET", f"/media/{silent['id']}"))["alt"] == "a gradient"
    assert (await person.ask("GET", f"/media/{described['id']}"))["alt"] == "of its own"
    assert await found(person, text="gradient") == ["picture.jpg"]
    again = await person.write("look again", account["id"], media=({"id": silent["id"]},))
    assert again["media"][0]["alt"] == "a gradient"


async def test_the_library_says_what_it_holds(person: Person, backing: Backing) -> None:
    one = await person.upload(jpeg(), "a.jpg")
    await person.ask("PATCH", f"/media/{one['id']}", json={"tags": ["Zoo", " autumn  leaves ", "ZOO"]})
    await person.ask("POST", "/uploads", json={"name": "film.mp4", "bytes": 12345})

    library = await person.ask("GET", "/library")

    expected = {"files": 1, "used": one["bytes"], "coming": 12345, "room": None, "tags": ["autumn leaves", "ZOO"]}
    assert library == expected


@pytest.mark.parametrize(
    "wrong", [{"tags": ["x" * 41]}, {"tags": ["x"] * 21}, {"name": ""}, {"tags": [""]}, {"tags": "x"}, {"words": []}]
)
async def test_what_cannot_be_said_of_a_file_is_refused(person: Person, wrong: Json) -> None:
    media = await person.upload(jpeg())

    await person.ask("PATCH", f"/media/{media['id']}", expect=422, json=wrong)

    assert await person.ask("GET", f"/media/{media['id']}") == media


def test_words_are_found_whatever_their_case_and_accents() -> None:
    assert folded("Ÿ Straße CAFÉ") == "y strasse cafe"
    assert words("IMG_2041.JPG", "Ein Brot, ein Brot!") == ["img", "2041", "jpg", "ein", "brot"]
    assert [each.pattern for each in beginnings("a.b $where")] == ["^a", "^b", "^where"]
    assert tidy_tags([" a  b ", "A B", "", "c"]) == ["A B", "c"]

"""What is found in a text for Bluesky, and where; how long a text is there; the record keys we choose."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from social.platforms.bluesky import BLUESKY
from social.platforms.bluesky.facets import facets, found, handles
from social.platforms.bluesky.records import Link, Mention, Tag
from social.platforms.bluesky.tids import ALPHABET, BEGINNING, LENGTH, tid, written
from social.platforms.contract import Content
from social.platforms.limits import length
from social.posts.check import problems

DID = "did:plc:anna"


def seen(text: str) -> list[str]:
    """What a reader sees as links, mentions and hashtags: the text between the byte offsets, and what it stands for."""
    raw = text.encode()
    said = []
    for facet in facets(text, dict.fromkeys(handles(text), DID)):
        piece = raw[facet.index.byteStart : facet.index.byteEnd].decode()
        match facet.features[0]:
            case Link(uri=uri):
                said.append(piece if uri == piece else f"{piece} -> {uri}")
            case Mention():
                said.append(piece)
            case Tag(tag=tag):
                assert piece[0] in "#＃"
                assert piece[1:] == tag
                said.append(piece)
    return said


LINKS = {
    "https://example.org": ["https://example.org"],
    "see http://example.org/a?b=c&d=e#f now": ["http://example.org/a?b=c&d=e#f"],
    "https://example.org.": ["https://example.org"],
    "https://example.org/a, and": ["https://example.org/a"],
    "https://example.org/a!?": ["https://example.org/a"],
    "(https://example.org/a)": ["https://example.org/a"],
    "https://example.org/a_(b)": ["https://example.org/a_(b)"],
    "(see https://example.org/a_(b)).": ["https://example.org/a_(b)"],
    "„https://example.org“": ["https://example.org"],
    '"https://example.org"': ["https://example.org"],
    "<https://example.org>": ["https://example.org"],
    "日本https://a.de。": ["https://a.de"],
    "https://example.org/ä?ö=ü": ["https://example.org/ä?ö=ü"],
    "https://münchen.example/straße": ["https://münchen.example/straße"],
    "one https://a.de two https://b.de": ["https://a.de", "https://b.de"],
    "https://example.org/@anna.bsky.social": ["https://example.org/@anna.bsky.social"],
    "https://example.org/#tag": ["https://example.org/#tag"],
    "ftp://example.org": [],
    "https://": [],
    "https://localhost": [],
}
BARE = {
    "example.org": ["example.org -> https://example.org"],
    "Example.ORG": ["Example.ORG -> https://Example.ORG"],
    "www.example.co.uk/path?x=1#y.": ["www.example.co.uk/path?x=1#y -> https://www.example.co.uk/path?x=1#y"],
    "(example.org).": ["example.org -> https://example.org"],
    "my-site.example.com:8080/a": ["my-site.example.com:8080/a -> https://my-site.example.com:8080/a"],
    "node.js and README.txt": [],
    "1.5 and 3.14": [],
    "e.g. i.e. z.B.": [],
    "and so on...": [],
    "a..com": [],
    "anna@example.org": [],
    "mailto:anna@example.org": [],
    "anna.b@example.org": [],
    "x_example.org": [],
    "example.orgs_": [],
    "münchen.de": [],
}
MENTIONS = {
    "@anna.bsky.social": ["@anna.bsky.social"],
    "@Anna.Bsky.Social!": ["@Anna.Bsky.Social"],
    "hi @anna.test. Yes": ["@anna.test"],
    "(@anna.test)": ["@anna.test"],
    "@anna.test's": ["@anna.test"],
    "@anna-b.example.org, @c.test": ["@anna-b.example.org", "@c.test"],
    "@anna.test @anna.test": ["@anna.test", "@anna.test"],
    "@anna": [],
    "@anna@example.social": [],
    "@anna.test@example.social": [],
    "mail@anna.bsky.social": [],
    "a.b@anna.bsky.social": [],
    "@@anna.test": [],
    "@-anna.test": [],
    "@anna.1test": [],
    "@ännä.test": [],
}
TAGS = {
    "#tag": ["#tag"],
    "#Tag2026 #2026tag": ["#Tag2026", "#2026tag"],
    "#1 #2026": [],
    "#": [],
    "##": [],
    "#!": [],
    "#tag! #tag. (#tag)": ["#tag", "#tag", "#tag"],
    "#a_b-c": ["#a_b-c"],
    "a#tag": [],
    "#a#b": ["#a"],
    "＃日本語": ["＃日本語"],
    "#Grüße #café": ["#Grüße", "#café"],
    "#e\u0301": ["#e\u0301"],
    "#\U0001f44d": ["#\U0001f44d"],
    "#👨‍👩‍👧‍👦": ["#👨‍👩‍👧‍👦"],
    "#🇩🇪!": ["#🇩🇪"],
    "#\ufe0f\u20e3 #1\ufe0f\u20e3": [],
    "#مرحبا": ["#مرحبا"],
    "#" + "x" * 64: ["#" + "x" * 64],
    "#" + "x" * 65: [],
    "#" + "👨‍👩‍👧‍👦" * 26: [],  # few to see, 650 bytes
}
PLACES = {
    "👨‍👩‍👧‍👦 #a 👨‍👩‍👧‍👦 https://a.de 👨‍👩‍👧‍👦 @b.test": ["#a", "https://a.de", "@b.test"],
    "🇩🇪🇫🇷 example.org 🇩🇪": ["example.org -> https://example.org"],
    "e\u0301e\u0301 #e\u0301 @b.test": ["#e\u0301", "@b.test"],
    "שלום https://example.org/שלום @b.test #שלום": ["https://example.org/שלום", "@b.test", "#שלום"],
    "\u202bمرحبا\u202c #a": ["#a"],
    "日本語 #日本 https://a.de 日本語": ["#日本", "https://a.de"],
    "\r\n\t#a\n@b.test\n": ["#a", "@b.test"],
    "\u200b #a": ["#a"],
    "": [],
    " ": [],
}


@pytest.mark.parametrize(("text", "expected"), [*LINKS.items(), *BARE.items()], ids=[*LINKS, *BARE])
def test_addresses_are_found(text: str, expected: list[str]) -> None:
    assert seen(text) == expected


@pytest.mark.parametrize(("text", "expected"), MENTIONS.items(), ids=MENTIONS)
def test_mentions_are_found(text: str, expected: list[str]) -> None:
    assert [piece for piece in seen(text) if piece.startswith("@")] == expected


@pytest.mark.parametrize(("text", "expected"), TAGS.items(), ids=range(len(TAGS)))
def test_hashtags_are_found(text: str, expected: list[str]) -> None:
    assert seen(text) == expected


@pytest.mark.parametrize(("text", "expected"), PLACES.items(), ids=range(len(PLACES)))
def test_places_are_bytes_whatever_comes_before(text: str, expected: list[str]) -> None:
    assert seen(text) == expected


def test_a_handle_without_an_account_stays_plain_text() -> None:
    text = "@anna.test and @b.test"
    assert [facet.features for facet in facets(text, {"anna.test": DID, "b.test": ""})] == [(Mention(did=DID),)]
    assert handles("@Anna.test @anna.TEST @b.test") == ("anna.test", "b.test")


PIECES = st.sampled_from(
    [
        "#a",
        "@b.test",
        "https://a.de/(x)",
        "example.org",
        "👨‍👩‍👧‍👦",
        "🇩🇪",
        "e\u0301",
        "שלום",
        " ",
        "\n",
        "(",
        ")",
        ".",
        "@",
        "#",
        "x",
    ]
)


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_facets_lie_in_the_text_in_order_and_apart(text: str) -> None:
    raw, reached = text.encode(), 0
    for facet in facets(text, dict.fromkeys(handles(text), DID)):
        assert reached <= facet.index.byteStart < facet.index.byteEnd <= len(raw)
        raw[facet.index.byteStart : facet.index.byteEnd].decode()  # never in the middle of a character
        reached = facet.index.byteEnd
    for each in found(text):
        assert text[each.start : each.end].strip() == text[each.start : each.end]


@pytest.mark.parametrize("text", ["a." * 3000, "(" * 3000, "#" * 3000, "@a." * 1000, "https://a.de/" + "(" * 2900])
def test_nothing_takes_long(text: str) -> None:
    found(text)


# Counting


@pytest.mark.parametrize(
    ("text", "graphemes"),
    [
        ("hello", 5),
        ("👨‍👩‍👧‍👦", 1),
        ("🇩🇪🇫🇷", 2),
        ("e\u0301", 1),
        ("👍🏽", 1),
        ("\r\n", 1),
        ("日本", 2),
        ("각", 1),
        ("நி", 1),
        ("https://example.org/a/long/way", 30),
        ("@anna.bsky.social", 17),
        ("", 0),
    ],
)
def test_a_text_is_as_long_as_it_looks(text: str, graphemes: int) -> None:
    assert length(text, BLUESKY.limits) == graphemes


FAMILY = "👨‍👩‍👧‍👦"  # 25 bytes


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("x" * 300, True),
        ("x" * 301, False),
        (FAMILY * 110, True),
        (FAMILY * 120, True),
        (FAMILY * 120 + "x", False),
        (FAMILY * 300, False),
        ("日" * 300, True),
        ("🇩🇪" * 300, True),
        ("e\u0301" * 300, True),
        ("e" + "\u0301" * 1499, True),
        ("e" + "\u0301" * 1500, False),
    ],
)
def test_both_the_letters_and_the_bytes_must_fit(text: str, fits: bool) -> None:
    wrong = problems(Content(text=text), BLUESKY.limits, BLUESKY)
    assert [each.code for each in wrong] == ([] if fits else ["too-long"])


# Record keys

INSTANTS = st.integers(min_value=0, max_value=7 * 10**12).map(lambda ms: BEGINNING + timedelta(milliseconds=ms))


@given(st.text(), INSTANTS)
def test_a_record_key_is_well_formed_and_always_the_same(key: str, at: datetime) -> None:
    made = tid(key, at)
    assert len(made) == LENGTH
    assert set(made) <= set(ALPHABET)
    assert made[0] in "234567ab"  # 63 bits of the 65 that there is room for
    assert tid(key, at) == made


@given(st.text(), st.text(), INSTANTS, st.integers(min_value=1, max_value=10**10))
def test_what_is_sent_later_sorts_later(one: str, other: str, at: datetime, later: int) -> None:
    assert tid(one, at) < tid(other, at + timedelta(milliseconds=later))


def test_two_keys_of_one_instant_rarely_meet() -> None:
    at = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert len({tid(f"key {number}", at) for number in range(1000)}) >= 998
    assert tid("key 1", at) != tid("key 2", at)


def test_a_number_is_written_as_others_write_it() -> None:
    assert written(0) == "2222222222222"
    assert written(31) == "222222222222z"
    assert written(2**63 - 1) == "bzzzzzzzzzzzz"

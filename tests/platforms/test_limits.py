"""Text as platforms count it."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from social.platforms.contract import Limits
from social.platforms.limits import MENTION, URL, length

MASTODON = Limits(
    text=500,
    counted_as="graphemes",
    url_length=23,
    mentions_without_domain=True,
    media=4,
    alt=1500,
    image_bytes=1,
    image_types=(),
)
PLAIN = Limits(text=500, counted_as="characters", media=4, alt=1500, image_bytes=1, image_types=())
UTF16 = Limits(text=500, counted_as="utf16", media=4, alt=1500, image_bytes=1, image_types=())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("hello", 5),
        ("a\nb\r\nc", 5),  # CR LF is one cluster
        ("👨‍👩‍👧‍👦", 1),  # a family of four: seven code points
        ("👩🏽‍💻", 1),  # a skin tone and a profession
        ("🏳️‍🌈", 1),
        ("🇩🇪", 1),
        ("🇩🇪🇫🇷", 2),
        ("1️⃣", 1),
        ("❤️", 1),
        ("é", 1),
        ("e\u0301", 1),
        ("Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A", 2),
        ("日本語", 3),
        ("한국어", 3),
        ("\u1112\u1161\u11ab", 1),  # one Hangul syllable in three parts
        ("नमस्ते", 3),  # a conjunct is one cluster since Unicode 15.1
        ("\u200d", 1),
        ("x\u200by", 3),
    ],
)
def test_a_grapheme_counts_once(text: str, expected: Any) -> None:
    assert length(text, MASTODON) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a.de", 23),
        ("http://a.de", 23),
        ("HTTPS://A.DE", 23),
        ("https://example.org/" + "x" * 400, 23),
        ("see https://example.org/a.", 4 + 23 + 1),
        ("see https://example.org/a, and", 4 + 23 + 5),
        ("see https://example.org.", 4 + 23 + 1),
        ("https://example.org/a!?", 23 + 2),
        ("(https://example.org/a)", 1 + 23 + 1),
        ("https://en.example.org/wiki/A_(b)", 23),
        ("(https://en.example.org/wiki/A_(b))", 1 + 23 + 1),
        ("[https://example.org/a]", 1 + 23 + 1),
        ('"https://example.org/a"', 1 + 23 + 1),
        ("<https://example.org/a>", 1 + 23 + 1),
        ("https://example.org/?a=1&b=2#c", 23),
        ("https://example.org/a?b=c.", 23 + 1),
        ("https://example.org:8443/a", 23),
        ("https://münchen.example/straße", 23),
        ("https://例え.テスト/パス", 23),
        ("https://xn--r8jz45g.xn--zckzah/a", 23),
        ("https://a.de https://b.de\nhttps://c.de", 3 * 23 + 2),
        ("example.org", 11),
        ("www.example.org/path", 20),
        ("ftp://example.org", 17),
        ("https://localhost/", 18),
        ("https://", 8),
        ("xhttps://a.de", 13),
        ("日本語https://a.de", 3 + 23),
        ("https://a.b.c.example/", 23),
        ("mailto:a@b.de", 13),
    ],
)
def test_a_url_counts_twenty_three(text: str, expected: Any) -> None:
    assert length(text, MASTODON) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@anna", 5),
        ("@anna@example.social", 5),
        ("hi @anna@example.social!", 9),
        ("@anna@example.social @bob@other.example", 10),
        ("@a.b-c@example.social", 6),
        ("mail anna@example.org", 21),
        ("@anna@bücher.example", 5),
        ("https://example.social/@anna@other.example", 23),
    ],
)
def test_a_mention_counts_without_its_domain(text: str, expected: Any) -> None:
    assert length(text, MASTODON) == expected


@pytest.mark.parametrize(
    ("limits", "expected"),
    [(PLAIN, len("a👨‍👩‍👧https://a.de")), (UTF16, 1 + 3 * 2 + 2 + 12), (MASTODON, 1 + 1 + 23)],
    ids=["characters", "utf16", "graphemes"],
)
def test_each_platform_has_its_own_unit(limits: Limits, expected: Any) -> None:
    assert length("a👨‍👩‍👧https://a.de", limits) == expected


@given(st.text())
def test_no_text_breaks_the_count(text: str) -> None:
    assert 0 <= length(text, PLAIN) <= length(text, UTF16)
    assert length(text, MASTODON) >= 0


@given(st.text(alphabet="ab.:/()@ https?&#-", max_size=200))
def test_what_looks_like_addresses_does_not_break_the_count(text: str) -> None:
    assert length(text, MASTODON) >= 0


@pytest.mark.parametrize(
    "piece", ["(", ")", "((", "https://a.b/(", "@a", "a.", "https://" + "a." * 10, "https://a.de/()", "@a@a.", "?"]
)
def test_counting_takes_no_time_on_hostile_text(piece: str) -> None:
    began = time.monotonic()
    length(piece * (20_000 // len(piece)), MASTODON)
    length("https://a.de/" + piece * (20_000 // len(piece)), MASTODON)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("text", ["http://" + "a." * 200_000, "http://a.bc/" + "(" * 400_000, "@a" * 200_000])
def test_no_text_takes_long_to_look_through(text: str) -> None:
    URL.sub("", text, timeout=5)  # the first took ten seconds, four times as long for twice its length
    MENTION.sub("", text, timeout=5)

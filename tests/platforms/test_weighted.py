"""X's weighted counting, against the sheet's figures and an independent implementation of twitter-text."""

import time
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from social.platforms.limits import length
from social.platforms.weighted import UNSENDABLE, addresses, weight
from social.platforms.x import LIMITS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it asks setuptools for its own data, in a way that is going out of use
    from twitter_text import extract_urls, parse_tweet


def judged(text: str) -> int:
    """What twitter-text-parser counts."""
    return parse_tweet(text).weightedLength


TABLE = [
    ("", 0),
    ("hello", 5),
    ("a\nb", 3),
    ("a\r\nb\rc", 5),  # a line ends once, however it is written
    ("é", 1),
    ("e\u0301", 1),  # composed before it is counted
    ("ﬁ", 2),
    ("привет", 6),
    ("γειά σου", 8),
    ("नमस्ते", 6),
    ("日本語", 6),
    ("한국어", 6),
    ("\u1112\u1161\u11ab", 2),  # three parts make one syllable
    ("ก็", 2),
    ("\u10ff", 1),
    ("\u1100", 2),
    ("\u1fff", 2),
    ("\u2000", 1),
    ("\u200d", 1),
    ("\u200e", 2),
    ("\u2010", 1),
    ("“quoted” – and so…", 19),  # the quotes and the dash weigh one, the ellipsis two
    ("\u201f", 1),
    ("\u2020", 2),
    ("\u2031", 2),
    ("\u2032", 1),
    ("\u2037", 1),
    ("\u2038", 2),
    ("€", 2),
    ("→", 2),
    ("𝕏", 2),
    ("𐐀", 2),
    # emoji
    ("😀", 2),
    ("😀😀", 4),
    ("👍🏽", 2),
    ("👩🏽‍💻", 2),
    ("👨‍👩‍👧‍👦", 2),
    ("🏳️‍🌈", 2),
    ("🏴‍☠️", 2),
    ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", 2),
    ("🇩🇪", 2),
    ("🇩🇪🇫🇷", 4),
    ("🇩", 2),
    ("1️⃣", 2),
    ("#️⃣", 2),
    ("*⃣", 2),
    ("❤️", 2),
    ("❤", 2),
    ("©", 2),
    ("☺\ufe0e", 4),  # asked for as text: no emoji, and the asking weighs too
    ("👁️‍🗨️", 2),
    ("👨\u200d", 3),  # joined to nothing
    ("12#*", 4),
    # addresses
    ("https://example.org", 23),
    ("http://example.org/a/very/long/way/home?with=a&question=1#and-more", 23),
    ("HTTPS://EXAMPLE.ORG", 23),
    ("example.org", 23),
    ("see example.org.", 4 + 23 + 1),
    ("(see https://example.org/a_(b))", 5 + 23 + 1),
    ("https://example.org/a, https://example.org/b!", 23 + 2 + 23 + 1),
    ("“https://example.org”", 25),
    ("https://example.org/wiki/Foo_(bar)", 23),
    ("https://example.org:8443/a", 23),
    ("example.org:8443", 23 + 5),
    ("example.org?a=1", 23 + 4),
    ("https://example.org?a=1", 23),
    ("日本語example.org日本語", 6 + 23 + 6),
    ("これはhttps://example.org/です。", 6 + 23 + 6),
    ("https://例え.jp/", 23),
    ("例え.jp", 4 + 3),  # without a scheme only Latin labels
    ("https://münchen.de", 23),
    ("münchen.de", 23),
    ("https://xn--mnchen-3ya.de", 23),
    ("https://пример.рф", 23),
    ("example.рф", 23),
    ("example.中国", 23),
    ("https://example.nosuchdomain", 28),
    ("notes.txt", 9),
    ("e.g. this, i.e. that", 20),
    ("Hello.World", 23),  # there is such a domain
    ("Hello.Nobody", 12),
    ("a.b", 3),
    ("1.5", 3),
    ("127.0.0.1", 9),
    ("http://localhost:8000/", 22),
    ("ftp://example.org", 17),
    ("anna@example.org", 16),
    ("anna.b@example.org", 18),
    ("@anna", 5),
    ("@example.org", 12),
    ("#example.org", 12),
    ("$example.org", 12),
    ("-example.org", 12),
    ("_example.org", 12),
    ("https://sub_domain.example.org", 23),
    ("sub_domain.example.org", 4 + 23),
    ("https://t.co/abc", 23),
    ("https://t.co/abc/more", 23 + 5),
    ("https://t.co/" + "a" * 41, 54),
    ("example.org/ü/ñ", 23),
    ("https://example.org/日本", 23 + 4),
    ("https://example.org/a😀", 25),
    ("example.com example.org", 47),
    ("example.com,example.org", 47),
    ("https://example.org" + "/a" * 2500, 5019),  # longer than an address may be
]


@pytest.mark.parametrize(("text", "expected"), TABLE, ids=ascii)
def test_a_text_weighs_what_the_sheet_says(text: str, expected: Any) -> None:
    assert weight(text, 23) == expected


@pytest.mark.parametrize("text", [text for text, _ in TABLE], ids=ascii)
def test_the_table_is_what_twitter_text_counts(text: str) -> None:
    assert weight(text, 23) == judged(text)


# The judge's list of emoji is of 2020: it takes later sequences to pieces, and pairs of letters that are no country's.
# The sheet says that an emoji sequence weighs 2.
@pytest.mark.parametrize(
    "text", ["❤️‍🔥", "🫱🏻‍🫲🏿", "🧑🏻‍❤️‍💋‍🧑🏿", "👩‍👩", "🇽🇽"], ids=["fire", "hands", "kiss", "pair", "flag"]
)
def test_an_emoji_that_the_judge_does_not_know_weighs_two(text: str) -> None:
    assert weight(text, 23) == 2
    assert judged(text) > 2


# Its list of top-level domains is as old.
def test_a_top_level_domain_that_the_judge_does_not_know_makes_an_address() -> None:
    assert weight("see https://example.kids", 23) == 4 + 23
    assert judged("see https://example.kids") == 24


PIECES = st.sampled_from(
    [
        *"ab1.:/?=&()@#$-_~!'\",;%[] \n",
        *("é", "т", "–", "→", "日", "語", "。", "😀", "❤️", "👩🏽‍💻", "🇩🇪", "\u200e", "\ufeff", "e\u0301"),
        *("http://", "https://", "HTTP://", "t.co/", "www.", "user@", "xn--p1ai"),
        *("com", "de", "org", "co", "uk", "рф", "中国", "example.com", "example.org/a", "example.co.uk", "foo_bar"),
    ]
)


@settings(max_examples=1500, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_any_text_weighs_what_twitter_text_counts(text: str) -> None:
    found = extract_urls(text)
    if any(url not in text for url in found):
        return  # a host with a foreign end: the judge cuts it out, and then counts positions of another text
    assert weight(text, 23) == judged(text), (found, addresses(text))


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cn", "So", "Sk")), max_size=40))
def test_any_writing_weighs_what_twitter_text_counts(text: str) -> None:
    if any(address.encode().isascii() is False for address in addresses(text)):
        return
    assert weight(text, 23) == judged(text)


def test_the_limits_of_x_count_so() -> None:
    assert length("日本 https://example.org 😀", LIMITS) == 4 + 1 + 23 + 1 + 2
    assert length("x" * 280, LIMITS) == LIMITS.text


def test_without_a_length_for_addresses_they_weigh_what_they_are_made_of() -> None:
    assert weight("https://example.org", 0) == 19


@pytest.mark.parametrize("character", ["\ufffe", "\ufeff", "\uffff"])
def test_invalid_characters_are_known(character: str) -> None:
    assert UNSENDABLE.search(f"a{character}b")
    assert not parse_tweet(f"a{character}b").valid


@pytest.mark.parametrize(
    "text",
    [
        "日" * 25_000,
        "日" * 12_000 + ".com",
        "a." * 12_000,
        "a.com" * 5_000,
        "a.com." * 4_000,
        "a.com_b." * 3_000,
        "_a.b" * 6_000,
        "日.com/" * 5_000,
        "http://a.com/" + "(a" * 10_000,
        "http://a.com/(" * 1_800,
        "👨\u200d" * 10_000,
        "e\u0301" * 12_000,
        "http://" * 3_500,
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_a_text_made_to_be_slow_is_counted_quickly(text: str) -> None:
    began = time.process_time()
    weight(text, 23)
    assert time.process_time() - began < 3

"""A text that is too long becomes a thread: cut where a person would, nothing lost, every part short enough."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from social.posts.split import split

Fits = Callable[[str], bool]


def at_most(length: int) -> Fits:
    return lambda text: len(text) <= length


def test_what_fits_is_one_part() -> None:
    assert split("  hello  ", at_most(5)) == ["hello"]
    assert split("hello", at_most(5), numbered=True) == ["hello"]


def test_nothing_is_no_part() -> None:
    assert split(" \n ", at_most(5)) == []


def test_it_is_cut_between_paragraphs_first() -> None:
    assert split("One. Two.\n\nThree. Four. Five.", at_most(25)) == ["One. Two.", "Three. Four. Five."]


def test_then_between_sentences() -> None:
    text = "The first sentence. The second one! A third, with more words in it?"
    assert split(text, at_most(40)) == ["The first sentence. The second one!", "A third, with more words in it?"]


def test_sentences_end_in_other_scripts_too() -> None:
    assert split("今日は晴れです。明日は雨です。", at_most(9)) == ["今日は晴れです。", "明日は雨です。"]


def test_then_between_words() -> None:
    assert split("alpha beta gamma", at_most(11)) == ["alpha beta", "gamma"]


def test_a_word_that_fits_nowhere_is_cut_between_graphemes() -> None:
    assert split("e\u0301" * 4, at_most(4)) == ["e\u0301" * 2] * 2


def test_an_address_stays_whole() -> None:
    parts = split("look at https://example.org/a/long/path right now", at_most(31))
    assert parts == ["look at", "https://example.org/a/long/path", "right now"]


def test_of_a_long_text_no_more_is_counted_for_a_part_than_is_near_it() -> None:
    counted = 0

    def fits(text: str) -> bool:
        nonlocal counted
        counted += len(text)
        return len(text) <= 500

    parts = split("word " * 20_000, fits, numbered=True)

    assert len(parts) == 205
    assert counted < 50 * 100_000  # all of it for every part, and more than once, was 2,000 times


def test_what_is_long_to_us_and_short_to_a_platform_stays_whole() -> None:
    address = f"https://example.org/{'x' * 5_000}"
    parts = split(f"look {address} there", lambda text: len(re.sub(r"https://\S+", "x" * 23, text)) <= 30)
    assert parts == [f"look {address}", "there"]


def test_numbers_are_counted_in() -> None:
    parts = split("word " * 60, at_most(20), numbered=True)
    assert len(parts) > 9
    assert all(len(part) <= 20 for part in parts)
    assert parts[0].endswith(f" 1/{len(parts)}")
    assert parts[-1].endswith(f" {len(parts)}/{len(parts)}")


@pytest.mark.parametrize("numbered", [False, True])
@given(text=st.text(st.sampled_from("ab .\n!é日👩‍👩‍👧"), max_size=300), most=st.integers(12, 60))
def test_every_part_fits_and_no_word_is_lost(numbered: bool, text: str, most: int) -> None:
    parts = split(text, at_most(most), numbered=numbered)
    assert all(part and len(part) <= most for part in parts)
    bare = [re.sub(r" \d+/\d+$", "", part) for part in parts] if numbered and len(parts) > 1 else parts
    assert "".join("".join(bare).split()) == "".join(text.split())

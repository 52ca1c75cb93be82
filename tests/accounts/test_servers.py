"""What people type when they are asked for their server."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from social.accounts.servers import origin
from social.errors import Invalid


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("mastodon.example", "https://mastodon.example"),
        ("  Mastodon.Example ", "https://mastodon.example"),
        ("https://mastodon.example", "https://mastodon.example"),
        ("https://mastodon.example/", "https://mastodon.example"),
        ("https://mastodon.example/@anna?x=1#y", "https://mastodon.example"),
        ("http://mastodon.example", "https://mastodon.example"),
        ("mastodon.example/web/home", "https://mastodon.example"),
        ("mastodon.example:443", "https://mastodon.example"),
        ("mastodon.example.", "https://mastodon.example"),
        ("@anna@mastodon.example", "https://mastodon.example"),
        ("anna@mastodon.example", "https://mastodon.example"),
        ("bücher.example", "https://xn--bcher-kva.example"),
        ("@anna@例え.テスト", "https://xn--r8jz45g.xn--zckzah"),
        ("xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("a.b-c.example", "https://a.b-c.example"),
    ],
)
def test_a_server_is_known_in_every_spelling(given: str, expected: Any) -> None:
    assert origin(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        "",
        "   ",
        "@anna",
        "https://",
        "localhost",
        "server.localhost",
        "printer.local",
        "mastodon",
        "mastodon example.org",
        "mastodon.example:8080",
        "127.0.0.1",
        "①②⑦.0.0.1",
        "0x7f.1",
        "2130706433",
        "[::1]",
        "::1",
        "-a.example",
        "a_b.example",
        "a..example",
        "*.example",
        "<script>",
        "a\x00.example",
        "a" * 64 + ".example",
        "a." * 200,
        "x" * 1000,
        "💩.example\\@evil.example:99",
    ],
)
def test_what_is_no_server_is_refused_in_words(given: str) -> None:
    with pytest.raises(Invalid) as refused:
        origin(given)
    assert refused.value.wrong[0].pointer == "/server"
    assert refused.value.sentence.endswith((".", "?"))


@given(st.text(max_size=400))
def test_nothing_typed_breaks_it(typed: str) -> None:
    try:
        made = origin(typed)
    except Invalid:
        return
    assert made.startswith("https://")
    assert made.isascii()
    assert not set(made.removeprefix("https://")) & set("/@:?# %")

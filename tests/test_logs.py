"""What could be a secret is masked before anything is written."""

import pytest

from social.logs import MASK, masked


@pytest.mark.parametrize(
    "name", ["token", "access_token", "password", "Authorization", "cookie", "client_secret", "ticket"]
)
def test_a_secret_by_name_is_masked(name: str) -> None:
    assert masked(None, "info", {name: "canary"}) == {name: MASK}


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer canary",
        "GET https://example.org/cb?code=canary&state=1",
        "mongodb://social:canary@127.0.0.1/",
        "redis://:canary@127.0.0.1:6379",
        "ticket=canary",
    ],
)
def test_a_secret_within_a_text_is_masked(text: str) -> None:
    event = masked(None, "info", {"event": text})

    assert "canary" not in event["event"]


def test_what_is_no_secret_stays() -> None:
    assert masked(None, "info", {"event": "publication.attempted", "late_ms": 3}) == {
        "event": "publication.attempted",
        "late_ms": 3,
    }

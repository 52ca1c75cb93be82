"""tweepy does its work against the simulated X: nobody told it that it is one."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import tweepy
from requests.adapters import HTTPAdapter

from tests.servers.sandbox import Person, Sandbox


class Elsewhere(HTTPAdapter):
    """Sends what is meant for X's host to the sandbox."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self._origin = origin

    def send(self, request: requests.PreparedRequest, *args: Any, **how: Any) -> requests.Response:
        place = urlsplit(str(request.url))
        request.url = f"{self._origin}{place.path}" + (f"?{place.query}" if place.query else "")
        return super().send(request, *args, **how)


def client_of(sandbox: Sandbox, token: str) -> tweepy.Client:
    """tweepy, as whoever `token` is of."""
    client = tweepy.Client(bearer_token=token)
    client.session.mount("https://api.twitter.com", Elsewhere(f"{sandbox.url}/x"))
    return client


@pytest.fixture
def person(sandbox: Sandbox) -> Person:
    return sandbox.person("anna", platform="x")


@pytest.fixture
def client(sandbox: Sandbox, person: Person) -> Iterator[tweepy.Client]:
    made = client_of(sandbox, person["access_token"])
    yield made
    made.session.close()


def test_it_knows_whose_token_it_is(client: tweepy.Client, person: Person) -> None:
    me = client.get_me(user_auth=False, user_fields=["subscription_type"]).data
    assert (str(me.id), me.username, me.name) == (person["account_id"], "anna", "anna")


def test_it_posts_reads_back_and_deletes(client: tweepy.Client, person: Person, sandbox: Sandbox) -> None:
    made = client.create_tweet(text="Fish & chips: https://example.org/menu", user_auth=False).data
    assert "https://t.co/" in made["text"]
    assert "&amp;" in made["text"]
    seen = client.get_tweet(made["id"], user_auth=False, tweet_fields=["created_at", "entities"]).data
    assert seen.entities["urls"][0]["expanded_url"] == "https://example.org/menu"
    assert abs(seen.created_at.timestamp() * 1000 - ((seen.id >> 22) + 1_288_834_974_657)) < 1000

    listed = client.get_users_tweets(person["account_id"], user_auth=False, max_results=5)
    assert [tweet.id for tweet in listed.data] == [seen.id]
    assert client.delete_tweet(seen.id, user_auth=False).data == {"deleted": True}
    assert client.get_users_tweets(person["account_id"], user_auth=False).meta == {"result_count": 0}
    assert sandbox.statuses(platform="x") == []


def test_it_makes_a_thread_and_a_poll(client: tweepy.Client, sandbox: Sandbox) -> None:
    first = client.create_tweet(text="one", user_auth=False).data["id"]
    client.create_tweet(text="two", in_reply_to_tweet_id=first, user_auth=False)
    client.create_tweet(text="tea?", poll_options=["yes", "no"], poll_duration_minutes=60, user_auth=False)
    online = sandbox.statuses(platform="x")
    assert [(post["text"], post["in_reply_to_id"], post["poll"]) for post in online] == [
        ("one", None, None),
        ("two", first, None),
        ("tea?", None, ["yes", "no"]),
    ]


def test_it_pages(client: tweepy.Client, person: Person) -> None:
    for number in range(12):
        client.create_tweet(text=f"post {number}", user_auth=False)
    pages = tweepy.Paginator(client.get_users_tweets, person["account_id"], user_auth=False, max_results=5)
    assert [tweet.text for tweet in pages.flatten()] == [f"post {number}" for number in reversed(range(12))]


def test_it_is_told_of_duplicates(client: tweepy.Client) -> None:
    client.create_tweet(text="again", user_auth=False)
    with pytest.raises(tweepy.Forbidden, match="duplicate content"):
        client.create_tweet(text="again", user_auth=False)


def test_it_is_told_of_dead_tokens(sandbox: Sandbox) -> None:
    with pytest.raises(tweepy.Unauthorized):
        client_of(sandbox, "nobody").create_tweet(text="hello", user_auth=False)


def test_it_is_told_of_spent_quotas(client: tweepy.Client, sandbox: Sandbox) -> None:
    sandbox.trouble(x={"rate_scale": 0.01})
    client.create_tweet(text="one", user_auth=False)
    with pytest.raises(tweepy.TooManyRequests) as spent:
        client.create_tweet(text="two", user_auth=False)
    assert spent.value.response.headers["x-rate-limit-remaining"] == "0"


def test_it_is_told_of_bad_requests(client: tweepy.Client) -> None:
    with pytest.raises(tweepy.BadRequest, match="media IDs are invalid"):
        client.create_tweet(text="look", media_ids=["1"], user_auth=False)
    with pytest.raises(tweepy.Forbidden):
        client.create_tweet(text="x" * 281, user_auth=False)

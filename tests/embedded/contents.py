"""Puts something into each server through what was announced, and looks whether it is still there."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from botocore.config import Config
from botocore.session import get_session
from pymongo import MongoClient
from redis import Redis


def fill(announced: Mapping[str, str]) -> None:
    """One durable thing into each."""
    with mongo(announced) as client:
        client.social.things.insert_one({"_id": "kept"})
    with redis(announced) as client:
        client.set("kept", "yes")
    with s3(announced) as client:
        client.put_object(Bucket=announced["SOCIAL_S3_BUCKET"], Key="kept", Body=b"yes")


def kept(announced: Mapping[str, str]) -> dict[str, bool]:
    """Whether what `fill` has put in is in each."""
    with mongo(announced) as documents, redis(announced) as values, s3(announced) as files:
        return {
            "mongo": documents.social.things.find_one() == {"_id": "kept"},
            "redis": values.get("kept") == b"yes",
            "s3": files.get_object(Bucket=announced["SOCIAL_S3_BUCKET"], Key="kept")["Body"].read() == b"yes",
        }


@contextmanager
def mongo(announced: Mapping[str, str]) -> Iterator[MongoClient[Any]]:
    """The database, with majority writes, as the product makes them."""
    client: MongoClient[Any] = MongoClient(announced["SOCIAL_MONGO_URL"], w="majority", serverSelectionTimeoutMS=10_000)
    with client:
        yield client


@contextmanager
def redis(announced: Mapping[str, str]) -> Iterator[Redis]:
    """The queue's server."""
    client: Redis = Redis.from_url(announced["SOCIAL_REDIS_URL"])
    with closing(client):
        yield client


@contextmanager
def s3(announced: Mapping[str, str]) -> Iterator[Any]:
    """The bucket's server."""
    client = get_session().create_client(
        "s3",
        endpoint_url=announced["SOCIAL_S3_ENDPOINT"],
        aws_access_key_id=announced["SOCIAL_S3_ACCESS_KEY"],
        aws_secret_access_key=announced["SOCIAL_S3_SECRET_KEY"],
        region_name=announced["SOCIAL_S3_REGION"],
        config=Config(s3={"addressing_style": "path"}),
    )
    with closing(client):
        yield client

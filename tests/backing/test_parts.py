"""The bucket as pages of ours reach it."""

import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from social.api.headers import page_policy
from social.backing.bucket import Bucket
from social.settings import Settings

OURS = "https://social.example.org"


@pytest.fixture
async def address(settings: Settings) -> AsyncIterator[str]:
    """Where a page may put a part."""
    key = f"tests/{uuid.uuid4().hex}"
    async with Bucket.opened(msgspec.structs.replace(settings, s3_public_url=settings.s3_endpoint)) as bucket:
        id = await bucket.parts.begin(key)
        yield await bucket.parts.address(key, id, 1, size=5)
        await bucket.parts.give_up(key, id)


async def test_one_command_lets_pages_of_ours_in_and_no_others(
    settings: Settings, address: str, session: aiohttp.ClientSession
) -> None:
    env = {
        "SOCIAL_MONGO_URL": settings.mongo_url,
        "SOCIAL_REDIS_URL": settings.redis_url,
        "SOCIAL_S3_ENDPOINT": settings.s3_endpoint,
        "SOCIAL_S3_ACCESS_KEY": settings.s3_access_key,
        "SOCIAL_S3_SECRET_KEY": settings.s3_secret_key,
        "SOCIAL_S3_BUCKET": settings.s3_bucket,
        "SOCIAL_MASTER_KEY": settings.master_key,
        "SOCIAL_PUBLIC_URL": OURS,
        "PATH": os.defpath,
    }

    done = subprocess.run(
        [sys.executable, "-m", "social", "bucket", "open-to-browsers"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert OURS in done.stderr
    for origin, status in ((OURS, 200), ("https://evil.example.org", 403)):
        asking = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
        async with session.options(address, headers=asking) as answer:
            assert answer.status == status
    wrong = subprocess.run(
        [sys.executable, "-m", "social", "bucket", "open-to-browsers"],
        env=env | {"SOCIAL_S3_ENDPOINT": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (wrong.returncode, wrong.stderr.count("\n")) == (os.EX_CONFIG, 1)


def test_a_page_may_speak_to_a_bucket_that_browsers_reach_and_to_no_other() -> None:
    assert "connect-src 'self' wss://social.example.org;" in page_policy(OURS, None)
    policy = page_policy(OURS, "https://files.example.org/some/path")
    assert "connect-src 'self' wss://social.example.org https://files.example.org;" in policy

"""`social user password-link`, as whoever runs the server calls it."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from social.backing import Backing
from social.moments import now
from social.people.password_links import PasswordLink
from social.people.signin import SignIn, Visitor
from social.settings import Settings
from tests.people.test_signin import TOKEN, founder

HERE = Visitor("198.51.100.7", "test/1")
OURS = "https://social.example.org"
AWAY = "mongodb://127.0.0.1:1/?directConnection=true&serverSelectionTimeoutMS=200"


async def password_link(email: str, data: Path, env: dict[str, str]) -> tuple[int | None, str, str]:
    """The exit code, what was printed, and what was told."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "social", "user", "password-link", email, "--data", str(data)),
        env={"PATH": os.defpath} | env,
        stdout=PIPE,
        stderr=PIPE,
    )
    printed, told = await process.communicate()
    return process.returncode, printed.decode(), told.decode()


async def test_the_command_prints_a_link_that_opens_and_refuses_in_one_sentence(
    settings: Settings, backing: Backing, tmp_path: Path
) -> None:
    env = {
        "SOCIAL_MONGO_URL": settings.mongo_url,
        "SOCIAL_MONGO_DATABASE": settings.mongo_database,
        "SOCIAL_REDIS_URL": settings.redis_url,
        "SOCIAL_S3_ENDPOINT": settings.s3_endpoint,
        "SOCIAL_S3_ACCESS_KEY": settings.s3_access_key,
        "SOCIAL_S3_SECRET_KEY": settings.s3_secret_key,
        "SOCIAL_MASTER_KEY": settings.master_key,
        "SOCIAL_PUBLIC_URL": OURS,
    }
    with SignIn.opened(backing) as signin:
        ada = (await signin.set_up(founder(), TOKEN, HERE, now())).person.user

    (code, printed, told), *refusals = await asyncio.gather(
        password_link("ADA@example.org", tmp_path, env),
        password_link("eve@example.org", tmp_path, env),
        password_link("ada@example.org", tmp_path, {}),
        password_link("ada@example.org", tmp_path, env | {"SOCIAL_MONGO_URL": AWAY}),
    )

    address, _, token = printed.strip().partition("#token=")
    assert (code, address, told) == (os.EX_OK, f"{OURS}/password", "")
    opened = await PasswordLink.open(token, now())
    assert opened is not None
    assert opened.id == ada.id
    reasons = "nobody with the e-mail eve@example.org", "Social is not running on", "MongoDB does not answer"
    for (code, printed, told), reason in zip(refusals, reasons, strict=True):
        assert (code, printed, told.count("\n")) == (os.EX_UNAVAILABLE, "", 1)
        assert told.startswith("social: ")
        assert reason in told

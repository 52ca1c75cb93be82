"""Makes the one bucket of an S3 server that has just started."""

from functools import partial

from aiobotocore.client import AioBaseClient
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from social.embedded.program import until

PROBE = "started"  # an object that is put and deleted to see whether files are taken


async def set_up(endpoint: str, access_key: str, secret_key: str, *, region: str, name: str) -> None:
    """Returns when the bucket `name` is there and takes files."""
    async with get_session().create_client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=region,
        config=AioConfig(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, read_timeout=5),
    ) as client:
        await until(partial(_takes_files, client, name))


async def _takes_files(client: AioBaseClient, bucket: str) -> bool:
    """Whether the bucket is there, made if need be, and takes a file: SeaweedFS has its volumes after its S3 port."""
    try:
        buckets = (await client.list_buckets())["Buckets"]
        if bucket not in {found["Name"] for found in buckets}:
            await client.create_bucket(Bucket=bucket)
        await client.put_object(Bucket=bucket, Key=PROBE, Body=b"1")
        await client.delete_object(Bucket=bucket, Key=PROBE)
    except (BotoCoreError, ClientError):
        return False
    return True

"""Objects that come into the bucket in parts: side by side, in any order, over days if need be.

The bucket itself knows which parts are there, so nobody else keeps a list of them that could be wrong.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from social.backing.s3 import Body, told
from social.errors import NotFound

ADDRESS_LASTS = 3600  # seconds
NOTHING_KNOWN: Mapping[int, str] = {}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part that is there. `etag` without its quotes; its MD5, unless the server makes them otherwise."""

    number: int
    bytes: int
    etag: str


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """An object of which nobody has said yet that all its parts are there."""

    key: str
    id: str
    begun_at: datetime


class Parts:
    """Of one bucket. `public`, where there is one, makes the addresses at which browsers reach it themselves.

    Every method raises BucketError when the server is away, slow or refuses.
    """

    def __init__(self, client: Any, name: str, public: Any | None) -> None:
        self._client = client
        self._name = name
        self._public = public

    @property
    def direct(self) -> bool:
        """Whether parts may be sent to the bucket without passing through us."""
        return self._public is not None

    async def begin(self, key: str) -> str:
        """Makes room for an object under `key`; the id under which its parts are sent."""
        with told():
            begun = await self._client.create_multipart_upload(Bucket=self._name, Key=key)
        return str(begun["UploadId"])

    async def put(self, key: str, id: str, number: int, pieces: AsyncIterator[bytes], *, size: int) -> str:
        """Stores the `size` bytes of `pieces` as a part, all or nothing; its etag. NotFound where nothing was begun."""
        with told():
            put = await self._client.upload_part(
                Bucket=self._name, Key=key, UploadId=id, PartNumber=number, Body=Body(pieces), ContentLength=size
            )
        return str(put["ETag"]).strip('"')

    async def address(self, key: str, id: str, number: int, *, size: int) -> str:
        """Where a browser may PUT this part of this size within the hour. Only where `direct`."""
        assert self._public is not None
        with told():
            address: str = await self._public.generate_presigned_url(
                "upload_part",
                Params={
                    "Bucket": self._name, "Key": key, "UploadId": id, "PartNumber": number, "ContentLength": size
                },
                ExpiresIn=ADDRESS_LASTS,
            )  # fmt: skip
        return address

    async def there(self, key: str, id: str, last: Mapping[int, str] = NOTHING_KNOWN) -> list[Part]:
        """The parts that have arrived, in order. NotFound where nothing was begun, or it is whole already.

        Of one that was sent again the last counts. SeaweedFS lists them all (seen on 4.48), S3 only that one; and as it
        tells their times in whole seconds, `last` has the etag of the one that we have put there last, by number.
        """
        found: dict[int, tuple[tuple[datetime, bool], Part]] = {}
        more: dict[str, Any] = {}
        while True:
            with told():
                page = await self._client.list_parts(Bucket=self._name, Key=key, UploadId=id, **more)
            for each in page.get("Parts", ()):
                part = Part(number=each["PartNumber"], bytes=each["Size"], etag=each["ETag"].strip('"'))
                rank = each["LastModified"], part.etag == last.get(part.number)
                if part.number not in found or rank >= found[part.number][0]:
                    found[part.number] = rank, part
            if not page.get("IsTruncated"):
                return [found[number][1] for number in sorted(found)]
            more = {"PartNumberMarker": page["NextPartNumberMarker"]}

    async def join(self, key: str, id: str, parts: Iterable[Part]) -> str:
        """Makes the object of its parts; its etag. NotFound where nothing was begun, or it is whole already."""
        listed = [{"PartNumber": part.number, "ETag": f'"{part.etag}"'} for part in parts]
        with told():
            joined = await self._client.complete_multipart_upload(
                Bucket=self._name, Key=key, UploadId=id, MultipartUpload={"Parts": listed}
            )
        return str(joined["ETag"]).strip('"')

    async def give_up(self, key: str, id: str) -> None:
        """Throws the parts away; what is gone already, was never begun, or is whole, is as good as given up."""
        if not id:
            return
        try:
            with told():
                await self._client.abort_multipart_upload(Bucket=self._name, Key=key, UploadId=id)
        except NotFound:
            return

    async def unfinished(self, prefix: str) -> AsyncIterator[Unfinished]:
        """Everything under `prefix` that was begun and is neither whole nor given up."""
        more: dict[str, Any] = {}
        while True:
            with told():
                page = await self._client.list_multipart_uploads(Bucket=self._name, Prefix=prefix, **more)
            for each in page.get("Uploads", ()):
                yield Unfinished(key=each["Key"], id=each["UploadId"], begun_at=each["Initiated"])
            if not page.get("IsTruncated"):
                return
            more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    async def open_to(self, origin: str) -> None:
        """Has the bucket let pages of `origin` (scheme, host and port) send parts and read files."""
        rule = {
            "AllowedOrigins": [origin],
            "AllowedMethods": ["PUT", "GET", "HEAD"],
            "AllowedHeaders": ["*"],
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 3600,
        }
        with told():
            await self._client.put_bucket_cors(Bucket=self._name, CORSConfiguration={"CORSRules": [rule]})

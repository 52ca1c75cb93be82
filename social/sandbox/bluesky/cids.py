"""Content ids as the protocol makes them: SHA-256 over DAG-CBOR for records, over the bytes for blobs. Pure."""

import hashlib
import struct
from base64 import b32decode, b32encode, b64decode
from collections.abc import Iterator, Mapping, Sequence

_RECORD = b"\x01\x71\x12\x20"  # version 1, dag-cbor, sha2-256, 32 bytes
_BLOB = b"\x01\x55\x12\x20"  # raw instead
_LINK = b"\xd8\x2a"  # CBOR's tag 42


def of_record(value: object) -> str:
    """Of JSON as XRPC carries it (`$link` and `$bytes` included). ValueError for what a record cannot hold."""
    return _text(_RECORD + hashlib.sha256(encoded(value)).digest())


def of_digest(digest: bytes) -> str:
    """Of a file with this SHA-256."""
    return _text(_BLOB + digest)


def read(cid: str) -> bytes:
    """The binary form. ValueError for what is no CIDv1 in base32."""
    if not cid.startswith("b"):
        raise ValueError("not a CIDv1 in base32")
    binary = b32decode(cid[1:].upper() + "=" * (-len(cid[1:]) % 8))
    if len(binary) < 4 or binary[0] != 1:
        raise ValueError("not a CIDv1")
    return binary


def encoded(value: object) -> bytes:
    """DAG-CBOR: shortest forms, keys by length, then by byte."""
    return b"".join(_parts(value))


def _text(binary: bytes) -> str:
    return "b" + b32encode(binary).decode().lower().rstrip("=")


def _parts(value: object) -> Iterator[bytes]:
    match value:
        case None:
            yield b"\xf6"
        case bool():
            yield b"\xf5" if value else b"\xf4"
        case int():
            yield _head(0, value) if value >= 0 else _head(1, -1 - value)
        case str():
            text = value.encode()
            yield _head(3, len(text)) + text
        case Mapping():
            yield from _mapping(value)
        case Sequence():
            yield _head(4, len(value))
            for item in value:
                yield from _parts(item)
        case _:
            raise ValueError(f"a record holds no {type(value).__name__}")


def _mapping(value: Mapping[str, object]) -> Iterator[bytes]:
    if set(value) == {"$link"}:
        binary = b"\x00" + read(str(value["$link"]))
        yield _LINK + _head(2, len(binary)) + binary
    elif set(value) == {"$bytes"}:
        text = str(value["$bytes"])
        binary = b64decode(text + "=" * (-len(text) % 4), validate=True)
        yield _head(2, len(binary)) + binary
    else:
        yield _head(5, len(value))
        keys = sorted((key.encode(), key) for key in value)
        for binary, key in sorted(keys, key=lambda pair: (len(pair[0]), pair[0])):
            yield _head(3, len(binary)) + binary
            yield from _parts(value[key])


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for size, code, limit in ((24, ">B", 2**8), (25, ">H", 2**16), (26, ">I", 2**32), (27, ">Q", 2**64)):
        if number < limit:
            return bytes([major << 5 | size]) + struct.pack(code, number)
    raise ValueError("an integer of a record has 64 bits")

"""A platform that fetches a file by itself.

`python -m tests.media.stranger CERTIFICATE ADDRESS HOST METHOD PATH [RANGE]`: over https at ADDRESS, where HOST is said
to be; prints an `Answer` as JSON.
"""

import hashlib
import http.client
import socket
import ssl
import sys

import msgspec

from tests.media.namespaces import Answer


def main(certificate: str, address: str, host: str, method: str, path: str, range: str = "") -> None:
    """One request."""
    secure = ssl.create_default_context(cafile=certificate)
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.sock = secure.wrap_socket(socket.create_connection((address, 443), timeout=20), server_hostname=host)
    connection.request(method, path, headers={"Range": range} if range else {})
    answer = connection.getresponse()
    content = answer.read()
    said = Answer(
        status=answer.status,
        headers={name.lower(): value for name, value in answer.getheaders()},
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    sys.stdout.buffer.write(msgspec.json.encode(said))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Fixtures of this room alone."""

import pytest

from tests.servers import Servers


@pytest.fixture
def own(servers: Servers) -> dict[str, str]:
    """The settings that replace every embedded server by those of the test run."""
    return {
        "SOCIAL_MONGO_URL": servers.mongo_url,
        "SOCIAL_REDIS_URL": servers.redis_url,
        "SOCIAL_S3_ENDPOINT": servers.s3_endpoint,
        "SOCIAL_S3_ACCESS_KEY": servers.s3_access_key,
        "SOCIAL_S3_SECRET_KEY": servers.s3_secret_key,
    }

"""Redis, a hint: the queue's hands and the bus of the live hub. Losing all of it loses no post."""

import asyncio
import random

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisGone
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisSilent
from saq import Job, Queue
from saq.queue.redis import RedisQueue

from social.settings import Settings

log = structlog.get_logger()
GONE = (RedisError, OSError)  # what a call may raise when Redis is away


def connection(settings: Settings) -> Redis:
    """A pool whose calls end: 5 s for an answer, dead peers noticed within 15 s."""
    return Redis.from_url(
        settings.redis_url,
        socket_timeout=15,
        socket_connect_timeout=3,
        socket_keepalive=True,
        health_check_interval=15,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 2),
        retry_on_error=[RedisGone, RedisSilent],
    )


class HintQueue(RedisQueue):
    """SAQ's queue, calm while Redis is away: its own loop asks without a pause (83 % of a core with 20 slots)."""

    async def dequeue(self, timeout: float = 0, poll_interval: float = 0.0) -> Job | None:
        """The next job, or None after `timeout` seconds or while Redis is away."""
        try:
            job = await super().dequeue(timeout, poll_interval=poll_interval)
        except GONE:
            await asyncio.sleep(random.uniform(0.5, 5.0))  # noqa: S311 - jitter, not a secret
            return None
        return job


def queue(redis: Redis, settings: Settings) -> Queue:
    """The one queue. Its jobs are hints, so nothing in it is ever retried."""
    return HintQueue(
        redis, name=f"social:{settings.mongo_database}", max_concurrent_ops=20, swept_error_message="swept"
    )


async def check(redis: Redis) -> str | None:
    """A sentence about what is wrong with this Redis for our use, or None. RedisError if it is away."""
    policy = (await redis.config_get("maxmemory-policy")).get("maxmemory-policy")
    if policy is not None and policy != "noeviction":
        return f"Redis evicts keys ({policy}): set maxmemory-policy to noeviction, or posts go out late."
    return None

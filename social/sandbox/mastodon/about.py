"""What the server says about itself: instance v1 and v2 with their limits, nodeinfo. Sheet: Identity, Limits."""

from litestar import Response, get
from litestar.di import NamedDependency

from social.sandbox.mastodon import images
from social.sandbox.mastodon.compose import MEDIA_PER_POST, POLL_OPTION_CHARACTERS, POLL_OPTIONS, POLL_SECONDS
from social.sandbox.mastodon.entities import Entity
from social.sandbox.mastodon.instance import Instance, reply
from social.sandbox.mastodon.text import URL_COUNTS

TITLE = "Social sandbox"
DESCRIPTION = "A simulated Mastodon server. What is posted here stays here."
LANGUAGES = ["en"]


@get("/api/v2/instance")
async def instance_v2(instance: NamedDependency[Instance]) -> Response[bytes]:
    oddities = instance.oddities
    body: Entity = {
        "domain": instance.domain,
        "title": TITLE,
        "version": oddities.release,
        "source_url": "https://github.com/mastodon/mastodon",
        "description": DESCRIPTION,
        "usage": {"users": {"active_month": len(instance.archive.accounts())}},
        "thumbnail": {"url": f"{instance.origin}/sandbox/static/sandbox.svg"},
        "icon": [],
        "languages": LANGUAGES,
        "configuration": {
            **_configuration(instance),
            "urls": {"streaming": instance.origin.replace("http", "ws", 1)},
            "vapid": {"public_key": ""},
            "translation": {"enabled": False},
        },
        "registrations": {"enabled": False, "approval_required": False, "message": None, "url": None},
        "contact": {"email": "", "account": None},
        "rules": [],
    }
    if oddities.api_version is not None:
        body["api_versions"] = {"mastodon": oddities.api_version}
    return reply(body)


@get("/api/v1/instance")
async def instance_v1(instance: NamedDependency[Instance]) -> Response[bytes]:
    users = len(instance.archive.accounts())
    return reply(
        {
            "uri": instance.domain,
            "title": TITLE,
            "short_description": DESCRIPTION,
            "description": DESCRIPTION,
            "email": "",
            "version": instance.oddities.release,
            "urls": {"streaming_api": instance.origin.replace("http", "ws", 1)},
            "stats": {"user_count": users, "status_count": instance.archive.count_live(), "domain_count": 0},
            "thumbnail": f"{instance.origin}/sandbox/static/sandbox.svg",
            "languages": LANGUAGES,
            "registrations": False,
            "approval_required": False,
            "invites_enabled": False,
            "configuration": _configuration(instance),
            "contact_account": None,
            "rules": [],
        }
    )


@get("/.well-known/nodeinfo")
async def nodeinfo_links(instance: NamedDependency[Instance]) -> Response[bytes]:
    schema = "http://nodeinfo.diaspora.software/ns/schema/2.0"
    return reply({"links": [{"rel": schema, "href": f"{instance.origin}/nodeinfo/2.0"}]})


@get("/nodeinfo/2.0")
async def nodeinfo(instance: NamedDependency[Instance]) -> Response[bytes]:
    users = len(instance.archive.accounts())
    return reply(
        {
            "version": "2.0",
            "software": {"name": "mastodon", "version": instance.oddities.release},
            "protocols": ["activitypub"],
            "services": {"outbound": [], "inbound": []},
            "usage": {
                "users": {"total": users, "activeMonth": users, "activeHalfyear": users},
                "localPosts": instance.archive.count_live(),
            },
            "openRegistrations": False,
            "metadata": {"nodeName": TITLE, "nodeDescription": DESCRIPTION},
        }
    )


def _configuration(instance: Instance) -> Entity:
    oddities = instance.oddities
    media: Entity = {
        "supported_mime_types": [*images.IMAGE_TYPES, *images.VIDEO_TYPES, *images.AUDIO_TYPES],
        "image_size_limit": images.IMAGE_BYTES,
        "image_matrix_limit": images.IMAGE_PIXELS,
        "video_size_limit": images.VIDEO_BYTES,
        "video_frame_rate_limit": images.FRAME_RATE,
        "video_matrix_limit": images.VIDEO_PIXELS,
    }
    if oddities.since(4, 4):
        media["description_limit"] = oddities.alt_limit
    return {
        "accounts": {"max_featured_tags": 10, "max_pinned_statuses": 5},
        "statuses": {
            "max_characters": oddities.characters,
            "max_media_attachments": MEDIA_PER_POST,
            "characters_reserved_per_url": URL_COUNTS,
        },
        "media_attachments": media,
        "polls": {
            "max_options": POLL_OPTIONS,
            "max_characters_per_option": POLL_OPTION_CHARACTERS,
            "min_expiration": POLL_SECONDS[0],
            "max_expiration": POLL_SECONDS[1],
        },
    }


ROUTES = (instance_v2, instance_v1, nodeinfo_links, nodeinfo)

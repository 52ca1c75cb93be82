"""The environment is checked before anything starts, and every complaint names its remedy."""

import base64

import pytest

from social.settings import BadSettings, OwnApp, Settings

ENOUGH = {
    "SOCIAL_MONGO_URL": "mongodb://127.0.0.1/",
    "SOCIAL_REDIS_URL": "redis://127.0.0.1/",
    "SOCIAL_S3_ENDPOINT": "http://127.0.0.1:9000",
    "SOCIAL_S3_ACCESS_KEY": "a",
    "SOCIAL_S3_SECRET_KEY": "s",
    "SOCIAL_MASTER_KEY": base64.b64encode(bytes(32)).decode(),
}


def test_what_is_needed_is_enough_and_strangers_are_not_looked_at() -> None:
    settings = Settings.read(ENOUGH | {"PATH": "/bin", "SOCIAL_DATA": "/d", "SOCIAL_PORT": "9090"})

    assert (settings.port, settings.mongo_database) == (9090, "social")
    assert settings.tasks == {"api", "worker", "live", "clock"}


def test_tasks_are_a_list_with_commas() -> None:
    assert Settings.read(ENOUGH | {"SOCIAL_TASKS": "api, live"}).tasks == {"api", "live"}


@pytest.mark.parametrize("missing", sorted(ENOUGH))
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(BadSettings, match=missing):
        Settings.read({name: value for name, value in ENOUGH.items() if name != missing})


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SOCIAL_MONGOURL", "x", "Did you mean SOCIAL_MONGO_URL"),
        ("SOCIAL_COLOUR", "red", "is not a setting"),
        ("SOCIAL_TIMES", "1", "is not a setting"),
        ("SOCIAL_PORT", "http", "port"),
        ("SOCIAL_PORT", "70000", "port"),
        ("SOCIAL_TASKS", "api,cooking", "tasks"),
        ("SOCIAL_LOG_FORMAT", "xml", "log_format"),
        ("SOCIAL_PUBLIC_URL", "https://social.example.org/", "SOCIAL_PUBLIC_URL"),
        ("SOCIAL_PUBLIC_URL", "social.example.org", "SOCIAL_PUBLIC_URL"),
        ("SOCIAL_S3_PUBLIC_URL", "https://files.example.org/", "SOCIAL_S3_PUBLIC_URL"),
        ("SOCIAL_S3_PUBLIC_URL", "files.example.org", "SOCIAL_S3_PUBLIC_URL"),
        ("SOCIAL_WORKSPACE_GB", "0", "workspace_gb"),
        ("SOCIAL_MASTER_KEY", "c2hvcnQ=", "SOCIAL_MASTER_KEY"),
        ("SOCIAL_MASTER_KEY", "ü", "SOCIAL_MASTER_KEY"),
        ("SOCIAL_TEST_LEASE", "35", "lease"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: str, says: str) -> None:
    with pytest.raises(BadSettings, match=says):
        Settings.read(ENOUGH | {name: value})


def test_the_protocols_times_can_be_shortened_for_tests_only() -> None:
    times = {"SOCIAL_TEST_HTTP_TIMEOUT": "2", "SOCIAL_TEST_LEASE": "4", "SOCIAL_TEST_MARGIN": "0.5"}

    assert Settings.read(ENOUGH | times).times.lease == 4
    with pytest.raises(BadSettings):
        Settings.read(ENOUGH | {"SOCIAL_LEASE": "4"})


def test_the_owners_apps_are_read_by_their_names_pattern() -> None:
    given = {"SOCIAL_X_CLIENT_ID": "id", "SOCIAL_X_CLIENT_SECRET": " s3cret ", "SOCIAL_THREADS_CLIENT_ID": "public"}
    settings = Settings.read(ENOUGH | given | {"SOCIAL_TIKTOK_CLIENT_ID": "", "SOCIAL_TIKTOK_CLIENT_SECRET": ""})
    assert settings.apps == {"x": OwnApp(client_id="id", client_secret="s3cret"), "threads": OwnApp(client_id="public")}
    settings.expect_apps(["x", "threads"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"SOCIAL_X_CLIENT_SECRET": "s"}, "SOCIAL_X_CLIENT_ID"),
        ({"SOCIAL_CLIENT_ID": "s"}, "is not a setting"),
        ({"SOCIAL_X_CLIENT_KEY": "s"}, "is not a setting"),
        ({"SOCIAL_APPS": "{}"}, "is not a setting"),
    ],
)
def test_half_an_app_is_none(given: dict[str, str], says: str) -> None:
    with pytest.raises(BadSettings, match=says):
        Settings.read(ENOUGH | given)


def test_an_app_of_a_platform_there_is_not_stops_the_start_with_a_suggestion() -> None:
    settings = Settings.read(ENOUGH | {"SOCIAL_TREADS_CLIENT_ID": "id"})
    with pytest.raises(BadSettings, match="Did you mean SOCIAL_THREADS_CLIENT_ID"):
        settings.expect_apps(["x", "threads"])
    with pytest.raises(BadSettings, match="is not a setting"):
        settings.expect_apps([])

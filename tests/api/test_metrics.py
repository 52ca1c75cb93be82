"""Figures for Prometheus: over all instances, through restarts, and not for everybody."""

import dataclasses
import re
from datetime import timedelta

from bson import ObjectId

from social.backing import Backing
from social.backing.quotas import Quotas
from social.backing.tally import Tally
from social.moments import now
from social.publishing import lateness, watchdog
from social.publishing.states import State
from tests.api.serving import Api, served
from tests.api.test_health import PROXIED, publication
from tests.publishing.test_lateness import late

LINE = re.compile(r"(?P<name>[a-z_]+)(\{(?P<labels>[^}]*)\})? (?P<value>[0-9.e+-]+)")


def figures(text: str) -> dict[str, float]:
    """Every sample by its name and labels; AssertionError for a line that Prometheus would not take."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge|histogram))", line), line
            continue
        match = LINE.fullmatch(line)
        assert match, line
        found[match["name"] + (f"{{{match['labels']}}}" if match["labels"] else "")] = float(match["value"])
    return found


def instance(backing: Backing) -> Backing:
    """Another process on the same servers, just started."""
    return dataclasses.replace(backing, tally=Tally(), quotas=Quotas())


async def test_counters_are_of_all_instances_and_survive_restarts(backing: Backing) -> None:
    for lateness_ms, state in ((3, State.ONLINE), (40, State.ONLINE), (5_000, State.FAILED)):
        gone = instance(backing)
        lateness.noted(late(lateness_ms), state, gone)
        await lateness.keep(gone)

    async with served(instance(backing)) as api:
        answer = await api.ask("GET", "//metrics")
    found = figures(answer.body.decode())

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert found['social_publications_total{state="online"}'] == 2
    assert found['social_publications_total{state="failed"}'] == 1
    assert found['social_lateness_seconds_bucket{le="0.004"}'] == 1
    assert found['social_lateness_seconds_bucket{le="0.064"}'] == 2
    assert found['social_lateness_seconds_bucket{le="8.192"}'] == 3
    assert found['social_lateness_seconds_bucket{le="+Inf"}'] == found["social_lateness_seconds_count"] == 3
    assert found["social_lateness_seconds_sum"] == 5.043


async def test_what_is_overdue_and_what_is_wrong_is_told(api: Api, backing: Backing) -> None:
    await publication(State.PLANNED, now() - timedelta(hours=1))
    watching = instance(backing)
    watching.tally.lag = 0.5
    await watchdog.look(watching)
    await lateness.keep(watching)
    await watchdog.beat(watching)

    found = figures((await api.ask("GET", "//metrics")).body.decode())

    assert 3600 <= found["social_overdue_seconds"] < 3700
    assert found['social_alarms{invariant="overdue"}'] == 1
    assert found['social_alarms_total{invariant="overdue"}'] == 1
    assert found["social_instances"] == 1
    assert [value for name, value in found.items() if name.startswith("social_loop_lag_seconds{")] == [0.5]
    assert found["social_queue_waiting"] == 0


async def test_metrics_are_for_the_signed_in_and_for_this_machine(api: Api) -> None:
    assert (await api.ask("GET", "//metrics")).status == 200
    assert (await api.ask("GET", "//metrics", headers=PROXIED)).problem == "sign-in-needed"
    await api.set_up()

    assert (await api.ask("GET", "//metrics", headers=PROXIED)).status == 200


async def test_a_workspace_sees_how_late_its_own_were(api: Api, backing: Backing) -> None:
    await api.set_up()
    mine = ObjectId((await api.ask("GET", "/me")).json["workspace_id"])
    counting = instance(backing)
    for lateness_ms in (8, 12):
        lateness.noted(late(lateness_ms, workspace_id=mine), State.ONLINE, counting)
    lateness.noted(late(60_000), State.ONLINE, counting)
    await lateness.keep(counting)

    told = (await api.ask("GET", "/lateness")).json

    assert told["hour"] == {"count": 2, "p50_ms": 8, "p90_ms": 12, "p99_ms": 12, "max_ms": 12}
    assert told["five_minutes"]["count"] == told["day"]["count"] == 2

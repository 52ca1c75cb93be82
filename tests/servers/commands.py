"""What the product asks of MongoDB, listened to at the driver."""

from typing import Any

from bson import SON
from pymongo import monitoring

QUERIES = {"find", "aggregate", "update", "delete", "findAndModify", "findandmodify", "count", "distinct"}
NOT_OF_THE_QUERY = {
    "lsid", "$db", "$clusterTime", "txnNumber", "autocommit", "startTransaction", "readConcern", "writeConcern",
    "maxTimeMS", "$readPreference", "ordered", "bypassDocumentValidation",
}  # fmt: skip


class Commands(monitoring.CommandListener):
    """Remembers one example of every shape of query while `listening`. Registered before any client is made."""

    def __init__(self) -> None:
        self.listening = False
        self.seen: dict[str, dict[str, Any]] = {}
        self.asked = 0  # commands, each query as often as it was made

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Takes the command apart into its queries: an update may hold several."""
        if not self.listening or event.command_name not in QUERIES:
            return
        self.asked += 1
        command = {name: value for name, value in dict(event.command).items() if name not in NOT_OF_THE_QUERY}
        for part in ("updates", "deletes"):
            for each in command.get(part, ()):
                self._remember({**command, part: [each]})
        if not {"updates", "deletes"} & set(command):
            self._remember(command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Not of interest."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Not of interest."""

    def _remember(self, command: dict[str, Any]) -> None:
        self.seen.setdefault(str(_shape(command)), command)


def conditions(command: dict[str, Any]) -> dict[str, Any]:
    """The filter of a remembered command, the parts of an `$and` as if they stood in it."""
    if "updates" in command:
        return _flat(command["updates"][0]["q"])
    if "deletes" in command:
        return _flat(command["deletes"][0]["q"])
    if "pipeline" in command:
        return next((_flat(stage["$match"]) for stage in command["pipeline"] if "$match" in stage), {})
    return _flat(command.get("filter") or command.get("query") or {})


def _flat(conditions: Any) -> dict[str, Any]:
    flat = {name: value for name, value in conditions.items() if name != "$and"}
    for part in conditions.get("$and", ()):
        flat |= _flat(part)
    return flat


def collection(command: dict[str, Any]) -> str:
    """The collection a remembered command is about."""
    return str(next(iter(command.values())))


def scans(plan: Any) -> list[str]:
    """The stages of an `explain` that read or sort without an index."""
    found = []
    if isinstance(plan, dict | SON):
        if plan.get("stage") in {"COLLSCAN", "SORT"}:
            found.append(str(plan["stage"]))
        for name, value in plan.items():
            if name != "rejectedPlans":
                found += scans(value)
    elif isinstance(plan, list):
        for value in plan:
            found += scans(value)
    return found


def examined(did: Any) -> int:
    """How many documents were read, by an `explain` that ran the query."""
    if isinstance(did, dict | SON):
        return sum(value if name == "totalDocsExamined" else examined(value) for name, value in did.items())
    return sum(map(examined, did)) if isinstance(did, list) else 0


def _shape(value: Any) -> Any:
    if isinstance(value, dict | SON):
        return {name: _shape(each) for name, each in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [_shape(value[0])] if value else []
    return type(value).__name__ if not isinstance(value, str) else "str"

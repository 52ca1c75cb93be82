"""`quotas.lua` in Python, for this process alone while Redis is away. Line for line the same; see there for why."""

import math
from typing import Any

MOST = 20_000  # keys that are remembered


class Here:
    """The windows and breakers as far as this process knows them."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[int, list[int]]] = {}  # the instant when it is empty, and what it is
        self._breakers: dict[str, tuple[int, dict[str, Any]]] = {}

    def ask(self, request: dict[str, Any], keys: list[str]) -> tuple[list[Any], list[Any]]:
        """What the script answers to the same request: who was refused, and what changed about breakers."""
        if len(self._windows) + len(self._breakers) > MOST:
            self._forget(request["now"])
        return _Step(request, keys, self._windows, self._breakers).answer()

    def open_breakers(self, index: str) -> list[str]:
        """The keys of the breakers that are not shut, of those that `index` is about."""
        ours = index.removesuffix("open")
        return [key for key, (_, b) in self._breakers.items() if key.startswith(ours) and b["phase"] != "shut"]

    def used(self, keys: list[str], now: int) -> list[int]:
        """How much is taken of the windows at `keys`."""
        return [taken(self._windows.get(key, (0, []))[1], now) for key in keys]

    def _forget(self, now: int) -> None:
        self._windows = {key: kept for key, kept in self._windows.items() if kept[0] > now}
        self._breakers = {key: kept for key, kept in self._breakers.items() if kept[0] > now}


def taken(stored: list[int], now: int) -> int:
    """How much of a window is taken at the instant `now`, by what is stored of it."""
    return sum(many for gone, many in zip(stored[5::2], stored[6::2], strict=True) if gone > now)


class _Window:
    def __init__(self, rule: list[int], stored: list[int], now: int) -> None:
        self.limit, self.span, self.grain, self.group = rule
        self.allowed, self.told_until, self.line_at, self.line_here, self.line_all = stored[:5]
        self.gone = [gone for gone in stored[5::2] if gone > now]
        self.taken = stored[6::2][len(stored[5::2]) - len(self.gone) :]
        self.used = sum(self.taken)
        self.now = now
        self.dirty = False

    def fits_at(self) -> int:
        at = self.told_until if self.told_until > self.now and self.allowed < 1 else 0
        over = self.used + 1 - self.limit
        for gone, taken in zip(self.gone, self.taken, strict=True):
            if over <= 0:
                break
            over -= taken
            if over <= 0:
                at = max(at, gone)
        return at

    def free_at(self, at: int) -> int:
        freed = (taken for gone, taken in zip(self.gone, self.taken, strict=True) if gone <= at)
        return self.limit - self.used + sum(freed)

    def promise(self, at: int) -> int:
        if self.line_at < at or self.line_at <= self.now:
            self.line_at, self.line_here, self.line_all = at, 1, 1
        elif self.line_here < self.group and self.line_all < self.free_at(self.line_at):
            self.line_here, self.line_all = self.line_here + 1, self.line_all + 1
        else:
            self.line_at += math.ceil(self.line_here * self.span / self.limit)
            self.line_here, self.line_all = 1, self.line_all + 1
        self.dirty = True
        return self.line_at

    def take(self) -> None:
        if self.told_until > self.now:
            self.allowed -= 1
        gone = (self.now // self.grain + 1) * self.grain - 1 + self.span
        if self.gone and self.gone[-1] >= gone:
            self.taken[-1] += 1
        else:
            self.gone.append(gone)
            self.taken.append(1)
        self.used, self.dirty = self.used + 1, True

    def stored(self) -> tuple[int, list[int]]:
        state = [self.allowed, self.told_until, self.line_at, self.line_here, self.line_all]
        for pair in zip(self.gone, self.taken, strict=True):
            state += pair
        return max(self.told_until, self.line_at, self.gone[-1] if self.gone else 0), state


class _Step:
    """One request."""

    def __init__(
        self,
        request: dict[str, Any],
        keys: list[str],
        windows: dict[str, tuple[int, list[int]]],
        breakers: dict[str, tuple[int, dict[str, Any]]],
    ) -> None:
        self.request, self.now = request, request["now"]
        of_windows = len(request["windows"])
        self._window_keys, self._breaker_keys = keys[:of_windows], keys[of_windows:-1]
        self._kept_windows, self._kept_breakers = windows, breakers
        self._windows = [
            _Window(rule, windows[key][1] if key in windows else [0] * 5, self.now)
            for key, rule in zip(self._window_keys, request["windows"], strict=True)
        ]
        self.changes: list[Any] = []
        self._rules = request["breaking"]
        self._breakers = [self._breaker(i, key) for i, key in enumerate(self._breaker_keys)]

    def answer(self) -> tuple[list[Any], list[Any]]:
        for window, allowed, wait in self.request["told"]:
            self._told(self._windows[window], allowed, self.now + wait)
        for i, well, failed in self.request["health"]:
            self._heard(i, well, failed)
        refused = [[n, *no] for n, take in enumerate(self.request["takes"]) if (no := self._refusal(take)) is not None]
        self._keep()
        return refused, self.changes

    def _told(self, w: _Window, allowed: int, till: int) -> None:
        if w.told_until <= self.now or allowed < w.allowed:
            w.allowed, w.told_until = allowed, till
        elif allowed == w.allowed:
            w.told_until = max(till, w.told_until)
        w.dirty = True

    def _refusal(self, take: list[Any]) -> list[int] | None:
        id, of_breaker, *places = take
        b = self._breakers[of_breaker] if of_breaker >= 0 else None
        if b is not None and (at := self._passes_at(b)):
            return [at - self.now, -1]
        at, by = 0, -1
        for place in places:
            fits = self._windows[place].fits_at()
            if fits > at:
                at, by = fits, place
        if by >= 0:
            return [self._windows[by].promise(at) - self.now, by]
        for place in places:
            self._windows[place].take()
        if b is not None:
            self._pass(b, id)
        return None

    def _breaker(self, i: int, key: str) -> dict[str, Any]:
        until, kept = self._kept_breakers.get(key, (0, {}))
        b = {"phase": "shut", "failed": []} | (kept if until > self.now else {})
        if b["phase"] == "ramp" and self.now >= b["since"] + self._rules.ramp_ends:
            self.changes.append([i, "closed", 0])
            b |= {"phase": "shut", "failed": [], "dirty": True}
        return b

    def _open(self, b: dict[str, Any], i: int) -> None:
        rules = self._rules
        interval = min(b["interval"] * 2, rules.longest) if b.get("interval") else rules.first
        b |= {"interval": interval, "phase": "open", "probe": "", "failed": [], "dirty": True}
        b["at"] = self._jittered(interval)
        self.changes.append([i, "opened", b["at"] - self.now])

    def _jittered(self, interval: int) -> int:
        at: int = self.now + math.floor(interval * (0.8 + 0.4 * self.request["jitter"]))
        return at

    def _passes_at(self, b: dict[str, Any]) -> int:
        rules = self._rules
        if b["phase"] == "open":
            return 0 if self.now >= b["at"] else int(b["at"])
        if b["phase"] != "ramp" or b["let"] < rules.ramp * 2 ** ((self.now - b["since"]) / rules.doubles):
            return 0
        b["promised"], b["dirty"] = b["promised"] + 1, True
        after = rules.doubles * math.log2((b["let"] + b["promised"]) / rules.ramp)
        return int(max(self.now + 1, min(b["since"] + math.ceil(after), b["since"] + rules.ramp_ends)))

    def _pass(self, b: dict[str, Any], id: str) -> None:
        if b["phase"] == "open":
            b |= {"probe": id, "at": self._jittered(b["interval"]), "dirty": True}
        elif b["phase"] == "ramp":
            b |= {"let": b["let"] + 1, "promised": max(0, b["promised"] - 1), "dirty": True}

    def _heard(self, i: int, well: bool, failed: list[str]) -> None:
        b, rules = self._breakers[i], self._rules
        if well:
            if b["phase"] == "open":
                b |= {"phase": "ramp", "since": self.now, "let": 0, "promised": 0}
                self.changes.append([i, "resumed", 0])
            b |= {"failed": [], "dirty": True}
        elif b["phase"] == "open":
            if b["probe"] in failed[1::2]:
                self._open(b, i)
        else:
            known = b["failed"] if b["failed"] and self.now < b["failed_until"] else []
            known = list(dict.fromkeys([*known, *failed[::2]]))[: rules.trip]
            b |= {"failed": known, "failed_until": self.now + rules.within, "dirty": True}
            if len(known) >= rules.trip:
                self._open(b, i)

    def _keep(self) -> None:
        for key, w in zip(self._window_keys, self._windows, strict=True):
            if w.dirty:
                self._kept_windows[key] = w.stored()
        for key, b in zip(self._breaker_keys, self._breakers, strict=True):
            if not b.pop("dirty", False):
                continue
            if b["phase"] == "shut" and not b["failed"]:
                self._kept_breakers.pop(key, None)
            else:
                life = self._rules.within if b["phase"] == "shut" else self._rules.stale
                for old in [old for old, (until, _) in self._kept_breakers.items() if until <= self.now]:
                    del self._kept_breakers[old]
                self._kept_breakers[key] = (self.now + life, b)

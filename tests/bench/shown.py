"""A bench's figures as people read them."""

from typing import Any

from rich.console import Console
from rich.table import Table


def table(name: str, figures: dict[str, Any]) -> None:
    """Prints `figures`, one a row; those of a part of the bench under its name."""
    shown = Table(title=name, show_header=False, title_justify="left")
    shown.add_column(style="bold")
    shown.add_column(justify="right")
    for key, value in _flat(figures).items():
        shown.add_row(key, _words(value))
    Console().print(shown)


def _flat(figures: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in figures.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": each for inner, each in _flat(value).items()}
        else:
            flat[key] = value
    return flat


def _words(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)

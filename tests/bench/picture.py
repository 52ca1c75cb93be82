"""The distribution of the lateness as a picture: an SVG, written by hand."""

import math
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path

RESULTS = Path(__file__).parent / "results"  # ignored by git
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 900, 440, 70, 30, 72, 60
MARKS = (50.0, 90.0, 99.0, 99.9)
STEPS = 60


def lateness(name: str, title: str, series: Sequence[tuple[str, Sequence[float]]]) -> Path:
    """Draws each of `series` (what it is, its lateness in ms, ascending) and answers where the picture is."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.svg"
    path.write_text(drawn(title, [(what, values) for what, values in series if values]))
    return path


def drawn(title: str, series: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Bars: how many were how late, for the first series; lines: the share that was no later, for all of them."""
    most = max((values[-1] for _, values in series), default=1.0)
    top = _round_up(max(most, 1.0))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" fill="#222"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="24" font-size="16">{escape(title)}</text>',
    ]
    if series:
        parts += _bars(series[0][1], top)
    parts += _axes(top)
    for number, (what, values) in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        parts.append(_line(values, top, colour))
        shown = " · ".join(f"p{share:g} {_ms(values[_at(values, share)])}" for share in MARKS)
        words = escape(f"{what}: {shown} · max {_ms(values[-1])}")
        parts.append(f'<text x="{LEFT}" y="{44 + 16 * number}" fill="{colour}">{words}</text>')
    return "".join([*parts, "</svg>\n"])


COLOURS = ("#1b5e8c", "#b3541e", "#3d7a3d")


def _bars(values: Sequence[float], top: float) -> list[str]:
    counts = [0] * STEPS
    for value in values:
        counts[min(STEPS - 1, max(0, int(value / top * STEPS)))] += 1
    highest, wide = max(counts), (WIDTH - LEFT - RIGHT) / STEPS
    bars = []
    for step, count in enumerate(counts):
        tall = count / highest * (HEIGHT - TOP - BOTTOM)
        bars.append(
            f'<rect x="{LEFT + step * wide:.1f}" y="{HEIGHT - BOTTOM - tall:.1f}" width="{wide - 1:.1f}" '
            f'height="{tall:.1f}" fill="#cfe0ec"><title>{count}</title></rect>'
        )
    return bars


def _axes(top: float) -> list[str]:
    parts = [f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#888"/>']
    for tenth in range(0, 11, 2):
        x = LEFT + (WIDTH - LEFT - RIGHT) * tenth / 10
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * tenth / 10
        parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{_ms(top * tenth / 10)}</text>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{tenth * 10} %</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 14}" text-anchor="middle">'
        f"late by; bars: how many, line: the share that was no later</text>"
    )
    return parts


def _line(values: Sequence[float], top: float, colour: str) -> str:
    points = []
    for percent in (*range(100), 99.5, 99.9, 100):
        x = LEFT + (WIDTH - LEFT - RIGHT) * max(0.0, values[_at(values, percent)]) / top
        points.append(f"{x:.1f},{HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * percent / 100:.1f}")
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _at(values: Sequence[float], share: float) -> int:
    return max(0, math.ceil(len(values) * share / 100) - 1)


def _round_up(value: float) -> float:
    unit = 10.0 ** math.floor(math.log10(value))
    return next(each * unit for each in (1, 2, 3, 4, 5, 6, 8, 10) if each * unit >= value)


def _ms(value: float) -> str:
    return f"{value / 1000:.3g} s" if value >= 1000 else f"{value:.3g} ms"

"""Sizes and shapes: what becomes of a picture's width and height where only some are taken. Pure.

Sizes in whole pixels, shapes as width divided by height.
"""

import math
from collections.abc import Iterator

import msgspec

Size = tuple[int, int]
NEAR = 0.01  # of a shape that is asked for exactly
FOUND_WITHIN = 12  # pixels around the best size that are tried where rounding alone does not do


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """Which sizes are taken. `exact` names the only shapes; `even` is what video codecs want of both sides."""

    least_width: int = 1
    least_height: int = 1
    width: int | None = None
    height: int | None = None
    pixels: int | None = None
    shapes: tuple[float, float] | None = None
    exact: tuple[float, ...] = ()
    even: bool = False

    def takes(self, size: Size) -> bool:
        """Whether something of that size is taken."""
        width, height = size
        shape = width / height
        return (
            self.least_width <= width <= (self.width or width)
            and self.least_height <= height <= (self.height or height)
            and width * height <= (self.pixels or width * height)
            and (self.shapes is None or self.shapes[0] <= shape <= self.shapes[1])
            and (not self.exact or any(abs(shape / each - 1) <= NEAR for each in self.exact))
            and not (self.even and (width % 2 or height % 2))
        )

    def nearest(self, shape: float) -> float:
        """The shape that is taken and differs least from `shape`."""
        if self.exact:
            return min(self.exact, key=lambda each: abs(math.log(each / shape)))
        narrowest, widest = self.shapes or (0.0, math.inf)
        if self.height:
            narrowest = max(narrowest, self.least_width / self.height)
        if self.width:
            widest = min(widest, self.width / self.least_height)
        return min(max(shape, narrowest), widest)


def asked(room: Room, shape: float | None) -> Room:
    """The room in which nothing but the shape `shape` is taken, or the one nearest to it that is. None: as it was."""
    return room if shape is None else msgspec.structs.replace(room, exact=(room.nearest(shape),))


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """How a picture becomes one of size `canvas`: `region` (left, top, width, height) is cut out of it, if any, and
    made `inner` in size; if that is smaller than the canvas, the rest around it is filled."""

    region: tuple[int, int, int, int] | None
    inner: Size
    canvas: Size


def placed(size: Size, room: Room, *, crop: bool, focus: tuple[float, float] = (0.5, 0.5)) -> Placed | None:
    """What has to happen to a picture of `size`; with `crop` it is cut, else filled, where its shape is not taken.

    None if there is no way. `focus` is the point that stays.
    """
    width, height = size
    shape = room.nearest(width / height)
    if room.takes(size):
        return Placed(region=None, inner=size, canvas=size)
    wider = width / height > shape
    same = math.isclose(width / height, shape)
    full = _full(size, shape, crop=crop, wider=wider)
    factor = _factor(full, room)
    canvas = _whole(full[0] * factor, full[1] * factor, room)
    if canvas is None:
        return None
    if same:
        return Placed(region=None, inner=canvas, canvas=canvas)
    if crop:
        return Placed(region=_region(size, full, focus), inner=canvas, canvas=canvas)
    step = 2 if room.even else 1
    if wider:
        inner = (canvas[0], _fitting(height * factor, canvas[1], step))
    else:
        inner = (_fitting(width * factor, canvas[0], step), canvas[1])
    return Placed(region=None, inner=inner, canvas=canvas)


def _full(size: Size, shape: float, *, crop: bool, wider: bool) -> tuple[float, float]:
    """The size in the wanted shape before anything is made smaller or larger."""
    width, height = size
    if wider == crop:
        return height * shape, height
    return width, width / shape


def _factor(full: tuple[float, float], room: Room) -> float:
    width, height = full
    smaller = [1.0]
    if room.width:
        smaller.append(room.width / width)
    if room.height:
        smaller.append(room.height / height)
    if room.pixels:
        smaller.append(math.sqrt(room.pixels / (width * height)))
    return max(min(smaller), room.least_width / width, room.least_height / height)


def _whole(width: float, height: float, room: Room) -> Size | None:
    """The size in whole pixels that is taken and differs least."""
    step = 2 if room.even else 1
    start = (max(step, round(width / step) * step), max(step, round(height / step) * step))
    for reach in (0, step, 2 * step, FOUND_WITHIN):
        taken = [size for size in _around(start, reach, step) if room.takes(size)]
        if taken:
            return min(taken, key=lambda size: abs(math.log(size[0] / width)) + abs(math.log(size[1] / height)))
    return None


def _around(start: Size, reach: int, step: int) -> Iterator[Size]:
    for width in range(start[0] - reach, start[0] + reach + 1, step):
        for height in range(start[1] - reach, start[1] + reach + 1, step):
            if width > 0 and height > 0:
                yield width, height


def _region(size: Size, full: tuple[float, float], focus: tuple[float, float]) -> tuple[int, int, int, int]:
    """What is cut out: as large as it can be, with the focus as near to its middle as there is room for."""
    width, height = (min(whole, max(1, round(wanted))) for whole, wanted in zip(size, full, strict=True))
    left, top = (
        min(max(0, round(whole * point - part / 2)), whole - part)
        for whole, part, point in zip(size, (width, height), focus, strict=True)
    )
    return left, top, width, height


def _fitting(wanted: float, most: int, step: int) -> int:
    return min(most, max(step, round(wanted / step) * step))

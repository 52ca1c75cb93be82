"""What has to happen to a picture. Pure."""

from social.files import Choice, Pictures, Probe
from social.media import shapes
from social.media.plans import Cannot, Colours, Converts, Crop, Fits, Pad, Picture, Plan, Resize, Step, Still, Verdict

JPEG = "image/jpeg"
SEE_THROUGH = ("image/png", "image/webp")  # what can hold what shines through, as we prefer it
BYTES_OF_A_PIXEL, AROUND = 4, 2**20  # more than any format needs
MOST_PIXELS = 50_000_000  # of what is made
NAMES = {
    "image/jpeg": "a JPEG", "image/png": "a PNG", "image/webp": "a WebP", "image/gif": "a GIF", "image/heic": "a HEIC",
    "image/avif": "an AVIF",
}  # fmt: skip


def fit_picture(
    probe: Probe, taken: Pictures, choice: Choice, where: str, *, shape: float | None = None, still: bool = False
) -> Verdict:
    """`where` names the platform and the kind of post; `still`: only the first frame of it is shown."""
    room = shapes.asked(_room(probe, taken, shape), choice.aspect)
    placed = shapes.placed((probe.width, probe.height), room, crop=choice.shape == "crop", focus=choice.focus)
    if placed is None:
        words = f"This picture of {probe.width} × {probe.height} pixels cannot be given a shape that {where} takes."
        return Cannot(because=words, code="shape")
    steps: list[Step] = [Still()] if still else []
    if taken.srgb and probe.profiled:
        steps.append(Colours())
    steps += moved(placed, (probe.width, probe.height))
    mime = _type(probe, taken, changed=bool(steps))
    if mime is None:
        return Fits()
    flat = probe.alpha and mime not in SEE_THROUGH
    steps.append(Picture(mime=mime, flat=flat))
    width, height = placed.canvas
    most = min(taken.bytes, width * height * BYTES_OF_A_PIXEL + AROUND)  # so that platforms share what is made
    plan = Plan(source=probe.mime, mime=mime, bytes=most, steps=tuple(steps))
    return Converts(plan=plan, changes=_changes(probe, taken, plan))


def moved(placed: shapes.Placed, size: shapes.Size) -> list[Step]:
    """The steps that change a size or a shape."""
    steps: list[Step] = []
    if placed.region is not None:
        left, top, *size_left = placed.region
        steps.append(Crop(left=left, top=top, width=size_left[0], height=size_left[1]))
        size = (size_left[0], size_left[1])
    if placed.inner != size:
        steps.append(Resize(width=placed.inner[0], height=placed.inner[1]))
    if placed.canvas != placed.inner:
        steps.append(Pad(width=placed.canvas[0], height=placed.canvas[1]))
    return steps


def said(step: Step, what: str) -> str | None:
    """A step of the shape in a sentence about `what`."""
    match step:
        case Crop():
            return f"{what} is cut to {step.width} × {step.height} pixels."
        case Resize():
            return f"{what} is made {step.width} × {step.height} pixels large."
        case Pad():
            return f"{what} gets a margin, so that it is {step.width} × {step.height} pixels large."
    return None


def _room(probe: Probe, taken: Pictures, shape: float | None) -> shapes.Room:
    width, height = taken.width, taken.height
    if taken.either_way and width and height and (probe.height > probe.width) != (height > width):
        width, height = height, width
    exact = taken.exact_shapes
    if exact and shape is not None:
        exact = (min(exact, key=lambda each: abs(each - shape)),)
    return shapes.Room(
        least_width=taken.least_width,
        least_height=taken.least_height,
        width=width,
        height=height,
        pixels=min(taken.pixels or MOST_PIXELS, MOST_PIXELS),
        shapes=taken.shapes,
        exact=exact,
    )


def _type(probe: Probe, taken: Pictures, *, changed: bool) -> str | None:
    """The type it is written in; None if it can stay as it is."""
    if not changed and probe.mime in taken.types and probe.bytes <= taken.bytes:
        return None
    clear = [mime for mime in SEE_THROUGH if mime in taken.types]
    small = [mime for mime in clear if mime != "image/png"] if probe.bytes > taken.bytes else clear
    if probe.alpha and small:
        return small[0]
    if probe.mime in {JPEG, *SEE_THROUGH} and probe.mime in taken.types and probe.bytes <= taken.bytes:
        return probe.mime
    return JPEG if JPEG in taken.types else (clear or [taken.types[0]])[0]


def _changes(probe: Probe, taken: Pictures, plan: Plan) -> tuple[str, ...]:
    words: list[str | None] = []
    for step in plan.steps:
        match step:
            case Still():
                words.append("It stands still: only its first frame is shown.")
            case Colours():
                words.append("Its colours become those of every screen (sRGB).")
            case Picture():
                if step.mime != probe.mime:
                    words.append(f"It becomes {NAMES.get(step.mime, step.mime)}.")
                if step.flat:
                    words.append("What shines through becomes white.")
            case _:
                words.append(said(step, "It"))
    if probe.bytes > taken.bytes:
        words.append(f"It is saved smaller, to at most {taken.bytes / 1e6:,.1f} MB.")
    return tuple(each for each in words if each)

"""A file and a kind of post make a plan: what fits, what is changed, what cannot be and why."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from social.files import AS_IT_IS, Choice, Footage, PostKind, Probe, Sound
from social.media.fit import AS_VIDEO, File, best, fit, fit_all
from social.media.fit_videos import MOST_PIXELS
from social.media.plans import (
    Aac,
    Cannot,
    Colours,
    Converts,
    Crop,
    Deinterlace,
    Film,
    Fits,
    Loop,
    Pad,
    Picture,
    Plan,
    Rate,
    Resize,
    Silence,
    Still,
    ToneMap,
    Trim,
    Verdict,
    Wrap,
)
from social.platforms import AHEAD, PLATFORMS

KINDS: dict[str, tuple[str, tuple[PostKind, ...]]] = {
    **{name: (each.title, each.kinds(each.limits)) for name, each in PLATFORMS.items()},
    **AHEAD,
}
STILL = "still"  # what is said of one that does not move any more
BLUESKY = (KINDS["bluesky"][1], "Bluesky")
EVERY = [(name, kind.name) for name, (_, kinds) in KINDS.items() for kind in kinds]


def kind(platform: str, name: str) -> PostKind:
    return next(each for each in KINDS[platform][1] if each.name == name)


def fitted(probe: Probe, platform: str, name: str, **choice: Any) -> Verdict:
    return fit(probe, kind(platform, name), KINDS[platform][0], Choice(**choice))


def picture(width: int = 1080, height: int = 1080, mime: str = "image/jpeg", **given: Any) -> Probe:
    return Probe(mime=mime, bytes=given.pop("bytes", 500_000), width=width, height=height, **given)


def video(width: int = 720, height: int = 1280, seconds: float = 20.0, **given: Any) -> Probe:
    """As most programs write it: H.264 and AAC, 30 frames a second, the index first."""
    shown = {"codec": "h264", "profile": "High", "fps": 30.0, "bitrate": 2_000_000}
    footage = {name: given.pop(name) for name in list(given) if name in Footage.__struct_fields__ and name != "bytes"}
    return Probe(
        mime=given.pop("mime", "video/mp4"),
        bytes=given.pop("bytes", int(seconds * 280_000)),
        width=width,
        height=height,
        seconds=seconds,
        footage=Footage(**{**shown, **footage}),
        sound=given.pop("sound", Sound(codec="aac", channels=2, rate=48_000, profile="LC", bitrate=128_000)),
        faststart=given.pop("faststart", True),
        **given,
    )


def steps(verdict: Verdict) -> tuple[Any, ...]:
    assert isinstance(verdict, Converts), verdict
    assert all(sentence.endswith(".") for sentence in verdict.changes)
    return verdict.plan.steps


def because(verdict: Verdict) -> str:
    assert isinstance(verdict, Cannot), verdict
    return verdict.because


def test_what_fits_goes_out_as_it_is() -> None:
    assert fitted(picture(), "instagram", "picture") == Fits()
    assert fitted(video(), "instagram", "reel") == Fits()
    assert fitted(picture(mime="image/png"), "mastodon", "pictures") == Fits()


def test_a_picture_becomes_what_the_platform_takes() -> None:
    assert steps(fitted(picture(mime="image/png"), "instagram", "picture")) == (Picture(mime="image/jpeg"),)
    assert steps(fitted(picture(mime="image/webp"), "pinterest", "pin")) == (Picture(mime="image/jpeg"),)
    clear = fitted(picture(mime="image/webp", alpha=True), "pinterest", "pin")
    assert steps(clear) == (Picture(mime="image/png"),)
    white = fitted(picture(mime="image/png", alpha=True), "instagram", "picture")
    assert steps(white) == (Picture(mime="image/jpeg", flat=True),)
    assert isinstance(white, Converts)
    assert white.changes == ("It becomes a JPEG.", "What shines through becomes white.")


def test_a_picture_of_another_shape_is_filled_up_or_cut_as_is_wanted() -> None:
    tall = picture(1000, 2000)
    assert steps(fitted(tall, "instagram", "picture")) == (Pad(width=1600, height=2000), Picture(mime="image/jpeg"))
    cut = steps(fitted(tall, "instagram", "picture", shape="crop", focus=(0.5, 0.0)))
    assert cut == (Crop(left=0, top=0, width=1000, height=1250), Picture(mime="image/jpeg"))


def test_a_file_gets_the_shape_that_is_asked_for_or_the_nearest_that_is_taken() -> None:
    square = {"aspect": 1.0, "shape": "crop", "focus": (1.0, 0.5)}
    assert steps(fitted(picture(1600, 1200), "x", "pictures", **square))[0] == Crop(
        left=400, top=0, width=1200, height=1200
    )
    assert steps(fitted(picture(1600, 1200), "x", "pictures", aspect=1.0))[0] == Pad(width=1600, height=1600)
    nearest = steps(fitted(picture(1600, 1200), "instagram", "picture", aspect=0.5, shape="crop"))
    assert nearest[0] == Crop(left=320, top=0, width=960, height=1200)
    assert fitted(picture(), "x", "pictures", **square) == Fits()
    film = steps(fitted(video(720, 1280), "x", "video", **square))
    assert film[:2] == (Crop(left=0, top=280, width=720, height=720), Film(kbps=3000))


def test_an_animation_of_another_shape_becomes_a_video() -> None:
    gif = File(probe=picture(400, 300, mime="image/gif", frames=20, seconds=2.0), choice=Choice(aspect=1.0))
    outcome = best([gif], KINDS["x"][1], "X")
    assert (outcome.kind.name, outcome.possible) == ("video", True)
    assert "only in its own shape" in because(fit_all([gif], kind("x", "gif"), "X").files[0])


def test_a_picture_that_is_too_large_is_made_smaller() -> None:
    assert steps(fitted(picture(4000, 3000), "tiktok", "photos")) == (
        Resize(width=1440, height=1080), Picture(mime="image/jpeg"),
    )  # fmt: skip
    heavy = picture(mime="image/png", bytes=9_000_000)
    assert steps(fitted(heavy, "x", "pictures")) == (Picture(mime="image/jpeg"),)
    assert steps(fitted(picture(bytes=1_500_000), "bluesky", "pictures")) == (Picture(mime="image/jpeg"),)


def test_other_colours_become_those_of_every_screen_only_where_that_is_wanted() -> None:
    wide = picture(profiled=True)
    assert steps(fitted(wide, "instagram", "picture")) == (Colours(), Picture(mime="image/jpeg"))
    assert fitted(wide, "x", "pictures") == Fits()


def test_an_animation_goes_out_as_it_is_or_becomes_a_video_or_stands_still() -> None:
    gif = picture(400, 300, mime="image/gif", frames=20, seconds=2.0)
    assert fitted(gif, "x", "gif") == Fits()
    assert steps(fitted(gif, "bluesky", "pictures"))[0] == Still()
    film = steps(fitted(gif, "instagram", "reel"))
    assert film[:2] == (Loop(times=2), Rate(fps=24.0))
    alone, beside = best([File(probe=gif)], *BLUESKY), best([File(probe=gif), File(probe=picture())], *BLUESKY)
    assert (alone.kind.name, alone.stills, beside.kind.name, beside.stills) == ("video", False, "pictures", True)
    timeless = best([File(probe=msgspec.structs.replace(gif, seconds=0.0))], *BLUESKY)
    assert (timeless.kind.name, timeless.stills) == ("pictures", True)
    large = picture(1400, 1200, mime="image/gif", frames=20, seconds=2.0, bytes=3_000_000)
    outcome = best([File(probe=large)], KINDS["x"][1], "X")
    assert outcome.kind.name == "video"
    assert outcome.possible


@pytest.mark.parametrize("platform", KINDS)
@pytest.mark.parametrize("beside", [0, 1], ids=["alone", "beside a picture"])
def test_what_becomes_of_an_animation_is_always_said(platform: str, beside: int) -> None:
    """Whether it goes on moving as it is, becomes a video, stands still, or is not taken at all."""
    title, kinds = KINDS[platform]
    gif = picture(600, 400, mime="image/gif", frames=30, seconds=3.0)
    for probe in (gif, msgspec.structs.replace(gif, mime="image/webp"), msgspec.structs.replace(gif, bytes=90_000_000)):
        outcome = best([File(probe=probe), *[File(probe=picture())] * beside], kinds, title)
        said = outcome.because or outcome.files[0]
        match said:
            case Fits():
                assert outcome.kind.animations is not None
            case Converts():
                first = said.changes[0]
                assert first == AS_VIDEO if said.plan.mime == "video/mp4" else STILL in first
            case Cannot():
                assert said.because.endswith(".")


CODECS = {"hevc": "h264", "vp9": "h264", "av1": "h264", "prores": "h264"}


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_not_taken_becomes_h264_and_aac_in_an_mp4(codec: str) -> None:
    one = video(mime="video/quicktime", codec=codec, sound=Sound(codec="pcm_s16le", channels=2, rate=48_000))
    made = fitted(one, "linkedin", "video")
    assert [type(step) for step in steps(made)] == [Film, Aac, Wrap]
    assert isinstance(made, Converts)
    assert (made.plan.mime, made.changes[0]) == (
        "video/mp4",
        "It is encoded as H.264, which plays everywhere.",
    )


def test_the_rate_of_the_cinema_is_left_alone_where_it_is_taken() -> None:
    assert fitted(video(fps=23.976, faststart=True), "instagram", "reel") == Fits()
    assert Rate(fps=24.0) in steps(fitted(video(fps=23.976), "facebook", "reel"))
    assert Rate(fps=24.0) in steps(fitted(video(fps=20.0), "instagram", "reel"))


def test_hdr_stays_where_it_is_taken_and_becomes_plain_where_it_is_encoded_anew() -> None:
    hdr = video(1920, 1080, codec="hevc", depth=10, hdr="hlg", wide=True)
    assert fitted(hdr, "youtube", "video") == Fits()
    assert ToneMap(curve="hlg") in steps(fitted(hdr, "youtube", "short"))
    woven = video(1920, 1080, interlaced=True)
    assert fitted(woven, "youtube", "video") == Fits()
    assert Deinterlace() in steps(fitted(woven, "youtube", "short"))


def test_streams_that_are_taken_are_only_wrapped_anew() -> None:
    assert steps(fitted(video(faststart=False), "instagram", "reel")) == (Wrap(),)
    assert steps(fitted(video(edits="shift"), "threads", "video")) == (Wrap(),)
    assert steps(fitted(video(mime="video/x-matroska"), "x", "video"))[-1:] == (Wrap(),)
    other = video(sound=Sound(codec="opus", channels=2, rate=48_000))
    assert [type(each) for each in steps(fitted(other, "pinterest", "video"))] == [Aac, Wrap]
    assert isinstance(steps(fitted(video(edits="cut"), "threads", "video"))[0], Film)


def test_a_video_that_tells_where_it_was_made_never_goes_out_as_it_is() -> None:
    for platform, name in (("x", "video"), ("mastodon", "video"), ("bluesky", "video"), ("youtube", "video")):
        assert fitted(video(1280, 720), platform, name) == Fits()
        verdict = fitted(video(1280, 720, located=True), platform, name)
        assert steps(verdict) == (Wrap(),)
        assert isinstance(verdict, Converts)
        assert verdict.changes == ("Where it was made is no longer told.",)


def test_timing_turning_and_colours_are_put_right() -> None:
    def done(**given: Any) -> list[Any]:
        return [
            each for each in steps(fitted(video(**given), "pinterest", "video")) if not isinstance(each, Film | Wrap)
        ]

    assert done(steady=False, fps=28.7) == [Rate(fps=30.0)]
    assert done(fps=240.0) == [Rate(fps=60.0)]
    assert done(rotation=90) == []
    assert done(hdr="hlg", depth=10, codec="hevc", wide=True) == [ToneMap(curve="hlg")]
    assert done(wide=True, codec="h264") == [Colours()]
    assert done(width=721, height=1281) == [Resize(width=720, height=1280)]


def test_a_slow_film_gets_the_frames_a_platform_wants() -> None:
    assert Rate(fps=24.0) in steps(fitted(video(fps=12.0), "instagram", "reel"))


def test_sound_is_added_or_changed_only_where_that_is_needed() -> None:
    silent = video(720, 1280, sound=None)
    assert Silence() in steps(fitted(silent, "facebook", "reel"))
    assert fitted(silent, "instagram", "reel") == Fits()
    surround = video(sound=Sound(codec="aac", channels=6, rate=96_000, profile="LC"))
    assert Aac(channels=2, rate=48_000, kbps=128) in steps(fitted(surround, "instagram", "reel"))


def test_what_is_too_long_is_cut_by_choice_and_never_by_itself() -> None:
    long = video(seconds=200)
    assert because(fitted(long, "x", "video")) == (
        "This lasts 3:20; X (a post with a video) takes 2:20 at most. Choose which part is shown."
    )
    cut = steps(fitted(long, "x", "video", start=10.0, end=100.0))
    assert cut[0] == Trim(start=10.0, end=100.0)
    assert "3 seconds at least" in because(fitted(video(seconds=1.2), "instagram", "reel"))
    assert "Nothing is left" in because(fitted(video(seconds=9), "x", "video", start=12.0))


def test_what_is_too_large_gets_the_bits_there_is_room_for_and_fewer_pixels_where_that_is_too_little() -> None:
    film = next(each for each in steps(fitted(video(1080, 1920, 55, bytes=200_000_000), "instagram", "story"))
                if isinstance(each, Film))  # fmt: skip
    assert not film.two_passes
    hour = video(1920, 1080, 3600, bytes=2_000_000_000, bitrate=4_000_000)
    made = steps(fitted(hour, "mastodon", "video"))
    assert isinstance(made[0], Resize)
    assert made[0].width < 640
    assert any(isinstance(each, Film) and each.two_passes for each in made)
    assert "too long for the 104 MB" in because(fitted(video(seconds=40_000, bytes=9_000_000_000), "mastodon", "video"))


@pytest.mark.parametrize(("platform", "name"), EVERY)
@pytest.mark.parametrize("choice", [{}, {"aspect": 9 / 16, "shape": "pad"}, {"aspect": 9 / 16, "shape": "crop"}])
@pytest.mark.parametrize("size", [(3840, 2160), (7680, 4320)])
def test_no_frame_is_encoded_that_takes_gigabytes(
    size: tuple[int, int], choice: dict[str, Any], platform: str, name: str
) -> None:
    """A margin around a wide film of 4K would make it 3840 by 6826."""
    verdict = fitted(video(*size, codec="hevc", bytes=90_000_000), platform, name, **choice)
    if isinstance(verdict, Converts) and verdict.plan.step(Film) is not None:
        width, height = verdict.plan.size or size
        assert width * height <= MOST_PIXELS


def test_what_is_too_small_in_bytes_is_made_longer_without_being_changed() -> None:
    tiny = video(640, 360, 3.0, bytes=20_000, bitrate=40_000)
    assert steps(fitted(tiny, "linkedin", "video")) == (Wrap(least=75_000),)


def test_a_post_of_the_wrong_sort_says_so() -> None:
    assert because(fitted(picture(), "instagram", "reel")) == (
        "Instagram does not show a picture as a reel. Choose another kind of post or another file."
    )
    assert "does not show a video as a picture" in because(fitted(video(), "instagram", "picture"))


def test_files_together_are_counted_and_not_mixed() -> None:
    one, film = File(probe=picture()), File(probe=video())
    assert best([one, one], KINDS["instagram"][1], "Instagram").kind.name == "carousel"
    assert best([one] * 4, KINDS["x"][1], "X").possible
    five = best([one] * 5, KINDS["x"][1], "X")
    assert five.because == Cannot(because="X takes 4 files at most as a post with pictures. Remove 1.", code="too-many")
    assert not best([one, film], KINDS["x"][1], "X").possible
    assert best([one, film], KINDS["threads"][1], "Threads").possible
    alone = fit_all([one], kind("instagram", "carousel"), "Instagram")
    assert alone.because == Cannot(because="Instagram wants 2 files at least for a carousel. Add 1.", code="too-few")


def test_all_files_of_a_carousel_get_the_shape_of_its_first() -> None:
    tall, wide = File(probe=picture(1000, 1500)), File(probe=picture(1500, 1000))
    outcome = fit_all([tall, wide], kind("pinterest", "carousel"), "Pinterest")
    assert outcome.files[0] == Fits()
    assert steps(outcome.files[1])[0] == Pad(width=1500, height=2250)
    square = fit_all(
        [File(probe=tall.probe, choice=Choice(aspect=1.0)), wide], kind("pinterest", "carousel"), "Pinterest"
    )
    assert [steps(each)[0] for each in square.files] == [Pad(width=1500, height=1500)] * 2


def test_the_same_plan_has_the_same_key_and_another_another() -> None:
    one, same = fitted(picture(1000, 2000), "instagram", "picture"), fitted(picture(1000, 2000), "instagram", "picture")
    other = fitted(picture(1000, 2000), "instagram", "picture", shape="crop")
    assert isinstance(one, Converts)
    assert isinstance(same, Converts)
    assert isinstance(other, Converts)
    assert one.plan.key == same.plan.key != other.plan.key
    assert msgspec.json.decode(msgspec.json.encode(one.plan), type=Plan) == one.plan


# Whatever comes of it


def made(probe: Probe, plan: Plan) -> Probe:
    """What the plan makes of it, if it is carried out to the letter."""
    footage, facts = probe.footage, dict[str, Any](mime=plan.mime, bytes=min(probe.bytes, plan.bytes))
    sound = probe.sound
    fps = footage.fps if footage else 0.0
    for step in plan.steps:
        match step:
            case Still():
                facts |= {"frames": 1, "seconds": 0.0}
            case Crop() | Resize() | Pad():
                facts |= {"width": step.width, "height": step.height}
            case Trim():
                facts["seconds"] = step.end - step.start
            case Loop():
                facts["seconds"] = (probe.seconds or 0.1 * probe.frames) * step.times
            case Rate():
                fps = step.fps
            case Colours():
                facts["profiled"] = False
            case Picture():
                facts["alpha"] = probe.alpha and not step.flat
            case Film():
                footage = Footage(codec="h264", profile="High", fps=fps, bitrate=step.kbps * 1000)
                facts |= {"frames": 1, "alpha": False}
            case Aac():
                sound = Sound(codec="aac", channels=step.channels, rate=step.rate, profile="LC")
            case Silence():
                sound = Sound(codec="aac", channels=2, rate=48_000, profile="LC")
            case Wrap():
                facts |= {"faststart": True, "edits": "", "bytes": max(facts["bytes"], step.least)}
    return msgspec.structs.replace(probe, footage=footage, sound=sound, **facts)


sizes = st.one_of(st.integers(1, 8000), st.sampled_from([1, 2, 360, 540, 720, 1080, 1920, 3840]))
pictures = st.builds(
    Probe,
    mime=st.sampled_from(["image/jpeg", "image/png", "image/webp", "image/gif", "image/heic", "image/tiff"]),
    bytes=st.integers(100, 60_000_000),
    width=sizes,
    height=sizes,
    alpha=st.booleans(),
    profiled=st.booleans(),
)
animations = st.builds(
    Probe,
    mime=st.sampled_from(["image/gif", "image/webp", "image/png"]),
    bytes=st.integers(100, 60_000_000),
    width=sizes,
    height=sizes,
    frames=st.integers(2, 2000),
    seconds=st.floats(0.02, 300).map(lambda each: round(each, 3)),
)
videos = st.builds(
    Probe,
    mime=st.sampled_from(["video/mp4", "video/quicktime", "video/webm", "video/x-matroska", "video/mp2t"]),
    bytes=st.integers(1000, 5_000_000_000),
    width=sizes,
    height=sizes,
    seconds=st.floats(0.1, 20_000).map(lambda each: round(each, 3)),
    alpha=st.booleans(),
    faststart=st.booleans(),
    edits=st.sampled_from(["", "shift", "cut"]),
    sound=st.one_of(
        st.none(),
        st.builds(
            Sound,
            codec=st.sampled_from(["aac", "opus", "pcm_s16le"]),
            channels=st.integers(1, 8),
            rate=st.sampled_from([8000, 22_050, 44_100, 48_000, 96_000]),
            profile=st.sampled_from(["", "LC", "HE-AAC"]),
        ),
    ),
    footage=st.builds(
        Footage,
        codec=st.sampled_from(["h264", "hevc", "vp8", "vp9", "av1", "prores", "mjpeg"]),
        fps=st.floats(1, 240).map(lambda each: round(each, 3)),
        steady=st.booleans(),
        depth=st.sampled_from([8, 10]),
        chroma=st.sampled_from(["420", "422", "444"]),
        hdr=st.sampled_from(["", "pq", "hlg"]),
        wide=st.booleans(),
        interlaced=st.booleans(),
        rotation=st.sampled_from([0, 90, 180, 270]),
        square=st.booleans(),
        bitrate=st.integers(0, 200_000_000),
    ),
)
choices = st.builds(Choice, shape=st.sampled_from(["pad", "crop"]), focus=st.tuples(st.floats(0, 1), st.floats(0, 1)))


@pytest.mark.parametrize(("platform", "name"), EVERY, ids=[f"{one}-{other}" for one, other in EVERY])
@given(probe=st.one_of(pictures, animations, videos), choice=choices)
@settings(max_examples=120, deadline=None)
def test_whatever_a_plan_makes_fits_and_whatever_cannot_be_is_said(
    platform: str, name: str, probe: Probe, choice: Choice
) -> None:
    verdict = fit(probe, kind(platform, name), KINDS[platform][0], choice)

    if isinstance(verdict, Cannot):
        assert verdict.because.endswith(".")
    elif isinstance(verdict, Converts):
        again = fit(made(probe, verdict.plan), kind(platform, name), KINDS[platform][0], AS_IT_IS)
        assert again == Fits(), (verdict.plan, again)
        assert all(sentence.endswith(".") for sentence in verdict.changes)

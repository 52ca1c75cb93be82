"""A sample of awkward files on every platform: what is said to fit is taken by its own rules."""

import pytest

from tests.bench.test_bench import bench
from tests.media.corpus import every

pytestmark = pytest.mark.slow


def test_there_are_enough_awkward_files_and_each_has_its_name() -> None:
    names = [each.name for each in every()]

    assert len(names) == len(set(names)) >= 120


def test_what_is_said_to_fit_is_taken_everywhere() -> None:
    figures = bench("media", "--sample", "8")

    assert figures["files"] >= 8
    assert figures["surprises"] == 0
    assert figures["combinations"] == figures["fit_as_they_are"] + figures["converted"] + figures["refused_in_words"]
    assert figures["conversions"] <= figures["converted"]


def test_large_files_in_all_directions_take_little_memory_and_as_much_disk_as_one_conversion() -> None:
    figures = bench("media", "--memory", "--upload-mb", "40", "--outward-mb", "40", "--converted-s", "60")

    assert (figures["uploads"], figures["outward_streams"]) == (8, 8)
    assert figures["all_together_s"] > 0
    assert 0 < figures["rss_mb_peak"] < 300
    assert 0 < figures["temporary_mb_peak"] <= figures["temporary_mb_bound"]


def test_what_a_large_film_is_is_known_after_a_small_part_of_it() -> None:
    figures = bench("media", "--probe", "--film-mb", "60")

    assert figures["film_mb"] == 60
    assert 0 < figures["film_read_kb_most"] < 20_000
    assert 0 < figures["picture_ms_p50_worst"] <= figures["picture_ms_max"]


def test_posts_with_a_video_are_counted_beside_those_of_text() -> None:
    figures = bench("steady", "--media-mb", "6", "--videos", "8", "--rate", "10", "--seconds", "4", "--platforms", "2")

    assert (figures["videos"], figures["texts_on_x"], figures["lost"], figures["doubled"]) == (8, 40, 0, 0)
    assert "not_online" not in figures
    assert "requests_the_sink_did_not_know" not in figures
    assert figures["late_ratio_p99"] > 0

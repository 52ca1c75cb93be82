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


def test_large_files_in_all_directions_take_little_memory_and_the_disk_of_one_conversion_and_one_clip() -> None:
    figures = bench("media", "--memory", "--upload-mb", "12", "--outward-mb", "100", "--converted-s", "30")

    assert (figures["uploads"], figures["outward_streams"]) == (8, 8)
    assert figures["all_together_s"] > 0
    assert 0 < figures["rss_mb_peak"] < 300
    assert 0 < figures["temporary_mb_peak"] <= figures["temporary_mb_bound"]

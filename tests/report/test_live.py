"""What can be watched while a scan runs: a map that fills in, counts that grow, and nothing of it left at the end."""

import json
from unittest import mock

import pytest
from tests.scan import toy_cascade as toy

from aoienet.report import live
from aoienet.scan.batch import Batch


@pytest.fixture
def eager(monkeypatch):
    monkeypatch.setattr(live, "EVERY_S", 0.0)


def test_the_map_fills_in_and_the_report_takes_its_place(tmp_path, eager):
    path = toy.write(tmp_path / "wall.tif", 1700, 400)
    words, pages, files = [], [], []
    watch = live.Watch(tmp_path / "o", 1700 * 400, words.append)

    def look(batch, task, outcome):
        watch(batch, task, outcome)
        pages.append((tmp_path / "o" / "wall" / "report.html").read_text())
        files.append(json.loads((tmp_path / "o" / "progress.json").read_text()))

    toy.run(tmp_path / "o", [path], watch=look)
    watch.close()
    assert [f"{k} of 3 bands" in page for k, page in zip((1, 2, 3), pages, strict=False)] == [True] * 3
    assert len({page.split("base64,")[1] for page in pages[:3]}) == 3 and 'http-equiv="refresh"' in pages[0]
    assert "Crack report" in pages[3] and 'http-equiv="refresh"' not in pages[3]
    assert [w["megapixels_done"] for w in words] == pytest.approx([0.205, 0.410, 0.68, 0.68])
    assert files == words and words[-1]["pictures_done"] == 1 and words[-1]["cracks_in_finished_pictures"] > 1
    assert 0 < words[-1]["dropped_share"] < 1 and not (tmp_path / "o" / "progress.json").exists()


def test_a_scan_that_goes_on_shows_what_was_done_before_and_counts_what_is_left(tmp_path, eager):
    path = toy.write(tmp_path / "wall.tif", 1700, 400)
    whole, pages, left = [], [], []

    def look(batch, task, outcome):
        watch(batch, task, outcome)
        pages.append((tmp_path / folder / "wall" / "report.html").read_text().split("base64,")[1])
        left.append(batch.known_px)

    for folder in ("whole", "parts"):
        watch = live.Watch(tmp_path / folder, None, lambda words: None)
        if folder == "whole":
            toy.run(tmp_path / folder, [path], watch=look)
            whole, pages, left = pages, [], []
        else:
            toy.run(tmp_path / folder, [path], mine=lambda picture, band: band < 2)
            toy.run(tmp_path / folder, [path], watch=look, resume=True)
    assert pages[0] == whole[2]  # the third band, and the first two
    assert left[0] == 0


def test_the_progress_is_there_before_anything_is_done(tmp_path):
    watch = live.Watch(tmp_path, 1700 * 400, lambda words: None)
    watch.begin()
    words = json.loads((tmp_path / "progress.json").read_text())
    assert (words["megapixels_done"], words["megapixels"], words["seconds_left"]) == (0, 0.68, None)


def test_the_bar_of_a_scan_that_goes_on_ends_where_it_does(tmp_path):
    path = toy.write(tmp_path / "wall.tif", 1700, 400)
    seen = []

    class Seen(Batch):
        def __init__(self, *words, **more):
            super().__init__(*words, **more)
            seen.append(self.known_px)

    with mock.patch("aoienet.scan.batch.Batch", Seen):
        toy.run(tmp_path / "o", [path], mine=lambda picture, band: band < 2)
        toy.run(tmp_path / "o", [path], resume=True)
    assert seen == [1024 * 400, 676 * 400]


def test_failures_are_counted_and_a_stream_has_no_end(tmp_path, eager):
    path = toy.write(tmp_path / "wall.tif", 600, 400)
    path.write_bytes(path.read_bytes()[:9000])
    watch = live.Watch(tmp_path / "o", None, lambda words: None)
    toy.run(tmp_path / "o", [path], watch=watch)
    words = watch.progress.words()
    assert words["pictures_failed"] == 1 and words["megapixels"] is None and words["seconds_left"] is None

"""aoienet scan -: how a stream ended is known after a restart, and no row that came in is lost."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from aoienet.cli import app

WIDTH, ROWS = 130, 250
FIRST = ("--first-stage-only", "--jobs", "1")


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (ROWS, WIDTH), dtype=np.uint8)


@pytest.fixture
def words(model, tmp_path):
    return ["scan", "-", "--width", str(WIDTH), "--model", str(model), "--out", str(tmp_path / "o"), *FIRST]


def call(words, data=b""):
    return CliRunner().invoke(app, words, input=data)


def pictures(out):
    return [tifffile.imread(path) for path in sorted((out / "rows").glob("*.tif"))]


def states(out):
    return [e["status"] for e in json.loads((out / "summary.json").read_text())["inputs"]]


def wait_for(true):
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
@pytest.mark.parametrize("rows", [None, 100])
def test_stopped_in_the_middle_of_a_picture_a_stream_loses_no_row(words, pixels, tmp_path, rows, how, code):
    words += [] if rows is None else ["--rows", str(rows)]
    out, first = tmp_path / "o", 0 if rows is None else 200
    part, rest = out / "rows" / f".rows-{first:010d}.tif.part", 40  # bytes of a row that never came to its end
    process = subprocess.Popen(
        [sys.executable, "-c", "from aoienet.cli import main; main()", *words], stdin=subprocess.PIPE
    )
    process.stdin.write(pixels.tobytes() + bytes(rest))
    process.stdin.flush()
    wait_for(lambda: part.is_file() and part.stat().st_size >= (ROWS - first) * WIDTH + rest + 256)
    wait_for((out / "progress.json").is_file)  # from here on Ctrl-C is told
    process.send_signal(how)
    assert process.wait() == code
    process.stdin.close()
    for _ in range(2):
        again = call([*words, "--resume"])
        assert again.exit_code == 2 and f"received {ROWS} rows, which are kept" in again.stderr
        np.testing.assert_array_equal(np.concatenate(pictures(out)), pixels)
        assert not [name for name in os.listdir(out / "rows") if name.startswith(".")]
    heights = [e.get("height_px") for e in json.loads((out / "summary.json").read_text())["inputs"]]
    assert heights == [*([ROWS] if rows is None else [100, 100]), *([] if rows is None else [None]), None]


def test_a_stream_that_ended_inside_a_row_stays_failed(words, pixels, tmp_path):
    data = pixels.tobytes()[: 200 * WIDTH + 7]
    first = call([*words, "--rows", "100"], data)
    assert first.exit_code == 2 and "received 7 bytes after row 200" in first.stderr
    again = call([*words, "--rows", "100", "--resume"], data)  # nothing is read
    assert again.exit_code == 2 and again.stderr == first.stderr
    assert states(tmp_path / "o") == ["done", "done", "failed"] and (tmp_path / "o" / ".work").is_dir()


def test_a_stream_of_which_the_disk_took_a_part_stays_failed(words, pixels, tmp_path, monkeypatch):
    from aoienet.scan.sources import stream

    real, room = open, 100 * WIDTH + 17 + stream.DATA_AT

    class Full:
        """A disk that takes `room` bytes of a file."""

        def __init__(self, *arguments, **options):
            self._file = real(*arguments, **options)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._file.close()

        def write(self, data):
            left = room - self._file.tell()
            if not left:
                raise OSError(28, "No space left on device")
            return self._file.write(data[:left])

        def truncate(self, size):
            return self._file.truncate(size)

    with monkeypatch.context() as patched:
        patched.setattr(stream, "open", Full, raising=False)
        first = call(words, pixels.tobytes())
    assert first.exit_code == 2 and "after row 100: No space left on device" in first.stderr
    again = call([*words, "--resume"], pixels.tobytes())
    assert again.exit_code == 2 and again.stderr == first.stderr
    (picture,) = pictures(tmp_path / "o")
    np.testing.assert_array_equal(picture, pixels[:100])
    assert states(tmp_path / "o") == ["done", "failed"]


def test_a_whole_stream_whose_scan_was_interrupted_ends_well(words, pixels, tmp_path, interrupted_at):
    words += ["--rows", "125"]
    with interrupted_at("rows-0000000125"):
        assert call(words, pixels.tobytes()).exit_code == 130
    again = call([*words, "--resume"])
    assert again.exit_code == 0 and states(tmp_path / "o") == ["done", "done"]
    assert not (tmp_path / "o" / ".work").exists()
    assert call([*words, "--resume"]).exit_code == 1  # finished


def test_resume_in_an_empty_folder_reads_the_stream(words, pixels, tmp_path):
    (tmp_path / "o").mkdir()
    assert call([*words, "--resume"], pixels.tobytes()).exit_code == 0
    np.testing.assert_array_equal(np.concatenate(pictures(tmp_path / "o")), pixels)


def test_a_reader_that_ends_by_itself_is_no_end_of_the_stream(words, tmp_path, monkeypatch):
    from aoienet.cli import _stream

    def short(*_):
        raise MemoryError

    monkeypatch.setattr(_stream, "frames", short)
    monkeypatch.setattr("threading.excepthook", lambda *_: None)
    done = call(words)
    assert done.exit_code == 2 and "ended by itself" in done.stderr

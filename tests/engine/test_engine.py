"""The runtime equals the NumPy interpreter bit by bit, on every instruction set of this machine."""

from __future__ import annotations

import copy
import functools
import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from aoienet import engine
from aoienet.deploy import format as aoie_format
from aoienet.deploy import simulate
from aoienet.engine import Model, ModelFileError

from engine_networks import classifier, everything  # isort: skip

NETWORKS = dict(everything())
SIZES = [(64, 64), (16, 16), (17, 33), (41, 23), (16, 130)]


def picture(h: int, w: int, c: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (h, w, c)).astype(np.uint8)
    image[: h // 3] = 255  # flat parts: no spread at all
    image[h // 3 : h // 2, : w // 2] = 7
    return image


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    for name, (header, tensors) in NETWORKS.items():
        aoie_format.write(folder / f"{name}.aoie", header, tensors)
    return {name: folder / f"{name}.aoie" for name in NETWORKS}


def taken_by_both(path: Path, words: str) -> bool:
    """Whether both readers take a file; they agree, and refuse it with these words."""
    verdicts = []
    for reader in (Model.open, aoie_format.read):
        try:
            reader(path)
            verdicts.append(True)
        except ValueError as error:
            assert words in str(error)
            verdicts.append(False)
    assert verdicts[0] == verdicts[1], path.read_bytes()[32:]
    return verdicts[0]


@functools.cache
def interpreted(path: Path, h: int, w: int) -> list[np.ndarray]:
    header, tensors = aoie_format.read(path)
    return simulate.run(header, tensors, picture(h, w, header["input"]["channels"]))


def same_bits(left: np.ndarray, right: np.ndarray) -> bool:
    left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)
    return left.shape == right.shape and left.dtype == right.dtype and left.tobytes() == right.tobytes()


@pytest.mark.parametrize("isa", engine.isas())
@pytest.mark.parametrize("name", NETWORKS)
def test_every_value_equals_the_interpreter(name, isa, files, monkeypatch):
    monkeypatch.setenv("AOIENET_ISA", isa)
    model = Model.open(files[name])
    assert model.isa == isa == engine.active_isa()
    header = NETWORKS[name][0]
    sizes = SIZES if "scan" in header else [*SIZES, (1, 1), (3, 2), (1, 9)]
    if header["input"]["fixed"]:
        sizes = [(header["input"]["height"], header["input"]["width"])]
    for h, w in sizes:
        image = picture(h, w, header["input"]["channels"])
        want = interpreted(files[name], h, w)
        assert all(value.dtype != np.float32 or np.isfinite(value).all() for value in want)
        have = model.trace(image)
        assert len(have) == len(want)
        for index, (left, right) in enumerate(zip(have, want, strict=True)):
            where = "input" if index == 0 else header["graph"][index - 1]["op"]
            assert same_bits(left, right), f"value {index} ({where}) of {name} at {(h, w)} on {isa}"
        assert same_bits(model.run(image), want[-1])


def test_standardize_with_large_windows_equals_the_interpreter(tmp_path, monkeypatch):
    for window_px in (1, 3, 65, 181, 183, 301):
        header, tensors = classifier(5, "whole")
        header["input"]["transform"]["window_px"] = window_px
        aoie_format.write(tmp_path / "m.aoie", header, tensors)
        image = picture(200, 333, 1, window_px)
        want = simulate.transform(header, image)
        for isa in engine.isas():
            monkeypatch.setenv("AOIENET_ISA", isa)
            assert same_bits(Model.open(tmp_path / "m.aoie").trace(image)[0], want), (window_px, isa)


def test_standardize_without_spread_equals_the_interpreter(tmp_path, monkeypatch):
    """0 / 0, infinity / infinity and what is beyond float64: NaN gives -127."""
    image = picture(40, 50, 1)
    for window_px, eps_levels, scale in (
        (1, 5e-324, 32.0),
        (3, 1e-320, 1.7e308),
        (0, 1e300, 1.7e308),
        (3, 2.0, 5e-324),
    ):
        header, tensors = classifier(5, "whole")
        header["input"]["transform"] |= {"window_px": window_px, "eps_levels": eps_levels, "scale": scale}
        aoie_format.write(tmp_path / "m.aoie", header, tensors)
        want = simulate.transform(header, image)
        assert (want == -127).any() or scale < 1
        for isa in engine.isas():
            monkeypatch.setenv("AOIENET_ISA", isa)
            assert same_bits(Model.open(tmp_path / "m.aoie").trace(image)[0], want), (window_px, eps_levels, isa)


def test_a_tile_with_halo_equals_the_whole_picture(files):
    model = Model.open(files["scanner"])
    scan = model.scan
    step, block, halo = scan["block_stride_px"], scan["block_px"], scan["halo_px"]
    image = picture(240, 320, 1, 3)
    whole = model.run(image)
    rows, columns = model.grid(240, 320)
    assert whole.shape == (rows, columns, 2)
    for i0, i1, j0, j1 in ((0, 5, 0, 5), (7, 12, 9, 20), (rows - 4, rows, columns - 6, columns), (6, 7, 0, columns)):
        y0, x0 = max(i0 * step - halo, 0), max(j0 * step - halo, 0)
        y1 = min((i1 - 1) * step + block + halo, 240)
        x1 = min((j1 - 1) * step + block + halo, 320)
        tile = model.run(image[y0:y1, x0:x1])
        i, j = i0 - y0 // step, j0 - x0 // step
        assert same_bits(tile[i : i + i1 - i0, j : j + j1 - j0], whole[i0:i1, j0:j1])


@pytest.mark.parametrize("isa", [isa for isa in engine.isas() if isa != "reference"])
@pytest.mark.parametrize(
    "name", ["scanner", "scanner_wide", "scanner_peak", "scanner_hourglass", "thermometer_colour", "mixture_3"]
)
def test_a_large_picture_in_strips_equals_step_by_step(name, isa, files, monkeypatch):
    monkeypatch.setenv("AOIENET_ISA", isa)
    model, h, w = Model.open(files[name]), 1201, 401
    image = picture(h, w, NETWORKS[name][0]["input"]["channels"])
    whole_maps = model.trace(image)
    assert 2 * model.workspace_bytes(h, w) < sum(value.nbytes for value in whole_maps)
    for threads in (1, 2, 3):
        assert same_bits(model.run(image, threads), whole_maps[-1])


@pytest.mark.parametrize("name", ["scanner_wide", "scanner_peak", "scanner_hourglass"])
def test_strips_hold_a_few_rows_of_each_map(name, files):
    model = Model.open(files[name])
    held = []
    for h in (1201, 2401):  # the transformed picture and the result are whole
        rows, columns = model.grid(h, 401)
        held.append(model.workspace_bytes(h, 401) - h * 401 - rows * columns * len(model.classes) * 4)
    assert held[1] < 1.1 * held[0]


def test_the_random_networks_have_every_op():
    used = {entry["op"] for header, _ in NETWORKS.values() for entry in header["graph"]}
    assert used == set(simulate._OPS)


def test_a_tile_with_halo_equals_the_whole_picture_with_strips_of_stride_6(files):
    model = Model.open(files["scanner_strips"])
    image = picture(240, 300, 1, 4)
    whole = model.run(image)
    tile = model.run(image[60 - 48 : 120 + 48, 120 - 48 : 180 + 48])
    assert same_bits(tile[8:17, 8:17], whole[10:19, 20:29])


def test_a_picture_where_the_vec_of_mul_is_no_longer_one_position_is_refused(tmp_path):
    header, tensors = classifier(1, "center")
    c = 70
    names = {"weight": "w", "bias": "b"}
    graph = header["graph"][:-2]
    x = graph[-1]["out"]
    graph.append({"op": "pool", "in": [x], "out": x + 1, "window": 6, "stride": 6})
    graph.append({"op": "mul", "in": [x, x + 1], "out": x + 2})
    graph.append({"op": "pool", "in": [x + 2], "out": x + 3, "window": 0})
    graph.append({"op": "linear", "in": [x + 3], "out": x + 4, **names})
    tensors = {**tensors, "w": np.zeros((6, c), np.float32), "b": np.zeros(6, np.float32)}
    aoie_format.write(tmp_path / "m.aoie", {**header, "graph": graph}, tensors)
    model = Model.open(tmp_path / "m.aoie")
    assert same_bits(model.run(picture(64, 64, 1)), np.zeros((1, 1, 6), np.float32))
    with pytest.raises(ValueError, match="1 x 1 grid"):
        model.run(picture(300, 300, 1))
    with pytest.raises(ValueError, match="one shape"):
        simulate.run({**header, "graph": graph}, tensors, picture(300, 300, 1))


def test_threads_share_a_model(files):
    model = Model.open(files["scanner_wide"])
    images = [picture(64 + i, 80, 1, i) for i in range(8)]
    alone = [model.run(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(model.run, images * 4))
    assert all(same_bits(together[i], alone[i % 8]) for i in range(len(together)))


def test_attributes_and_grey_of_rgb(files):
    model = Model.open(files["scanner"])
    assert (model.name, model.classes, len(model.sha256)) == ("random", ("class0", "class1"), 64)
    colour = picture(32, 40, 3)
    assert same_bits(model.run(colour), model.run(simulate.grey(colour)[..., 0]))
    assert model.workspace_bytes(64, 64) < model._core.plan(64, 64)[4]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((32, 32), np.float32), "uint8"),
        (np.zeros((32, 32, 2), np.uint8), r"\[H,W,3\]"),
        (np.zeros((8, 32), np.uint8), "at least one block"),
        (np.zeros((0, 32), np.uint8), "block|sides"),
    ],
)
def test_a_wrong_image_is_refused(image, words, files):
    with pytest.raises(ValueError, match=words):
        Model.open(files["scanner"]).run(image)
    with pytest.raises(ValueError, match="3 channels"):
        Model.open(files["classifier_colour"]).run(np.zeros((32, 32), np.uint8))


def test_a_fixed_size_is_kept(tmp_path):
    header, tensors = classifier(1, "center")
    header["input"]["fixed"] = True
    aoie_format.write(tmp_path / "m.aoie", header, tensors)
    model = Model.open(tmp_path / "m.aoie")
    assert model.run(np.zeros((64, 64), np.uint8)).shape == (1, 1, 6)
    with pytest.raises(ValueError, match="exactly 64 x 64"):
        model.run(np.zeros((64, 65), np.uint8))


def test_an_unknown_isa_is_refused_with_the_known_ones(files, monkeypatch):
    monkeypatch.setenv("AOIENET_ISA", "avx1024")
    with pytest.raises(RuntimeError, match="reference, neon, avx2, avx512.*avx1024"):
        Model.open(files["scanner"])
    with pytest.raises(RuntimeError, match="avx1024"):
        engine.active_isa()


def test_damaged_files_are_refused_by_runtime_and_python(files, tmp_path):
    data = files["scanner"].read_bytes()
    rng = np.random.default_rng(0)
    damaged = [data[:n] for n in (0, 1, 31, 32, 100, len(data) - 1)] + [data + b"\0"]
    for at in rng.integers(0, len(data), 30):
        damaged.append(data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :])
    for index, blob in enumerate(damaged):
        path = tmp_path / f"{index}.aoie"
        path.write_bytes(blob)
        with pytest.raises(ModelFileError, match="received"):
            Model.open(path)
        with pytest.raises(ValueError):
            aoie_format.read(path)


def _reseal(header_text: bytes, data: bytes) -> bytes:
    import struct

    head = header_text + bytes(-(32 + len(header_text)) % 64)
    body = head + data
    prefix = struct.pack("<8sIIQQ", b"AOIENET\0", 1, len(header_text), 32 + len(body), aoie_format.checksum(body))
    return prefix + body


def test_broken_rules_are_refused_by_runtime_and_python_alike(files, tmp_path):
    """One wrong number, name or key in a sealed header: both readers agree, and most are refused."""
    raw = files["scanner"].read_bytes()
    size = int.from_bytes(raw[12:16], "little")
    text, data = raw[32 : 32 + size], raw[32 + size + -(32 + size) % 64 :]
    swaps = [
        (b'"k":7', b'"k":12'), (b'"s":2', b'"s":9'), (b'"p":3', b'"p":4'), (b'"in":[0]', b'"in":[2]'),
        (b'"in":[1]', b'"in":[0]'), (b'"out":2', b'"out":1'), (b'"out":2', b'"out":1025'), (b'"out":2', b'"out":2.0'),
        (b'"op":"slopes"', b'"op":"slope"'), (b'"planes":2', b'"planes":1'), (b'"planes":2', b'"planes":3'),
        (b'"channels":24', b'"channels":25'), (b'"channels":1', b'"channels":3'), (b'"fixed":false', b'"fixed":0'),
        (b'"window_px":9', b'"window_px":8'), (b'"eps_levels":2.0', b'"eps_levels":0'), (b'"scale":32.0', b'"scale":1e999'),
        (b'"kind":"standardize"', b'"kind":"norm"'), (b'"dtype":"i16"', b'"dtype":"f32"'), (b'"offset":0', b'"offset":64'),
        (b'"offset":0', b'"offset":1'), (b'"meta":{}', b'"meta":[]'), (b'"meta":{}', b'"meta":{"a":1,"a":2}'),
        (b'"meta":{}', b'"meta":{"a":' + b"[" * 14 + b"]" * 14 + b"}"), (b'"meta":{}', b'"meta":{"a":' + b"[" * 15 + b"]" * 15 + b"}"),
        (b'"meta":{}', b'"meta":{"a":NaN}'), (b'"meta":{}', b'"meta":{"a":01}'), (b'"meta":{}', b'"meta":{"a":"\xff"}'),
        (b'"meta":{}', b'"meta":{"a":"\\u00e9\\ud83d\\ude00"}'), (b'"meta":{}', b'"meta":{"a":-1.5e-3}'),
        (b'"block_px":16', b'"block_px":20'), (b'"halo_px":40', b'"halo_px":41'), (b'"defect":1', b'"defect":2'),
        (b'"total_stride":4', b'"total_stride":2'), (b'"temperature":1.0', b'"temperature":0.0'),
        (b'"threshold":0.0', b'"threshold":"0"'), (b'"height":64', b'"height":8'), (b'"classes":["class0",', b'"classes":['),
        (b'"name":"random"', b'"name":3'), (b'"format":"aoie"', b'"format":"onnx"'), (b'"window":4', b'"window":400'),
        (b'"stride":2', b'"stride":0'), (b'"shape":[24,7,7,1]', b'"shape":[24,7,7]'), (b'"shape":[24,7,7,1]', b'"shape":[24,7,7,1,1]'),
    ]  # fmt: skip
    refused = 0
    for index, (old, new) in enumerate(swaps):
        assert old in text, old
        path = tmp_path / f"{index}.aoie"
        path.write_bytes(_reseal(text.replace(old, new, 1), data))
        refused += not taken_by_both(path, "received")
    assert refused >= len(swaps) - 3


@pytest.mark.parametrize("name", [name for name, (header, _) in NETWORKS.items() if "scan" in header])
def test_the_least_halo_gives_the_bits_of_the_whole_picture_and_less_is_refused(name, files, tmp_path):
    raw = files[name].read_bytes()
    size = int.from_bytes(raw[12:16], "little")
    text, data = raw[32 : 32 + size], raw[32 + size + -(32 + size) % 64 :]
    scan = NETWORKS[name][0]["scan"]
    step, block, path = scan["block_stride_px"], scan["block_px"], tmp_path / "m.aoie"
    align = scan.get("align_px", step)
    taken = []
    for halo in range(0, scan["halo_px"] + 1, align):
        path.write_bytes(_reseal(text.replace(b'"halo_px":%d' % scan["halo_px"], b'"halo_px":%d' % halo), data))
        taken += [halo] * taken_by_both(path, "scan: halo_px is at least what a decision sees")
    halo = taken[0]
    assert 0 < halo and taken == list(range(halo, scan["halo_px"] + 1, align))
    path.write_bytes(_reseal(text.replace(b'"halo_px":%d' % scan["halo_px"], b'"halo_px":%d' % halo), data))
    model = Model.open(path)
    side = block + 12 * align
    image = picture(side, side, 1, 5)
    whole = model.run(image)
    for aligned in ((5, 7, 6, 7), (0, 3, 11, 13), (4, 5, 0, 13)):
        i0, i1, j0, j1 = (place * (align // step) + (align > step) for place in aligned)
        y0, x0 = (max(first * step - halo, 0) // align * align for first in (i0, j0))
        tile = model.run(image[y0 : (i1 - 1) * step + block + halo, x0 : (j1 - 1) * step + block + halo])
        i, j = i0 - y0 // step, j0 - x0 // step
        assert same_bits(tile[i : i + i1 - i0, j : j + j1 - j0], whole[i0:i1, j0:j1])


def test_importing_the_engine_needs_no_torch():
    code = "import sys; sys.modules['torch'] = None; import aoienet.engine; assert 'scipy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))


def test_workspace_of_a_wide_tile_stays_small(files):
    assert Model.open(files["scanner"]).workspace_bytes(1100, 2100) < 250e6


def pictures_of(name: str, isa: str, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch):
    """(model on the instruction set, picture, its logits) for pictures of all SIZES, or of the only one."""
    monkeypatch.setenv("AOIENET_ISA", isa)
    model, entry = Model.open(files[name]), NETWORKS[name][0]["input"]
    for h, w in [(entry["height"], entry["width"])] if entry["fixed"] else SIZES:
        image = picture(h, w, entry["channels"], 3)
        yield model, image, model.run(image)


@pytest.mark.parametrize("isa", engine.isas())
@pytest.mark.parametrize("name", NETWORKS)
def test_logits_do_not_depend_on_threads(name, isa, files, monkeypatch):
    for model, image, want in pictures_of(name, isa, files, monkeypatch):
        for threads in (2, 3, 64):
            assert same_bits(model.run(image, threads=threads), want), f"{image.shape}, {threads} threads"


@pytest.mark.parametrize("isa", engine.isas())
@pytest.mark.parametrize("name", NETWORKS)
def test_a_part_of_the_decisions_has_the_bits_of_all(name, isa, files, monkeypatch):
    for model, image, want in pictures_of(name, isa, files, monkeypatch):
        rows, columns = want.shape[:2]
        for y, x in ((0, 0), (rows // 2, columns // 3), (rows - 1, columns - 1)):
            for down, across in ((1, 1), (-(-(rows - y) // 2), -(-(columns - x) // 3)), (rows - y, columns - x)):
                found = model.run_part(image, y, x, down, across)
                assert same_bits(found, want[y : y + down, x : x + across]), (image.shape, y, x, down, across)


def test_a_part_outside_of_the_grid_is_refused(files):
    model = Model.open(files["scanner"])
    image = picture(64, 64, model.header["input"]["channels"])
    rows, columns = model.grid(64, 64)
    wrong = [(-1, 0, 1, 1), (0, 0, 0, 1), (0, 0, 1, -1), (rows, 0, 1, 1), (0, 1, 1, columns), (0, 0, 2**40, 1)]
    for part in [*wrong, (0.5, 0, 1, 1), (0, 0, "1", 1)]:
        with pytest.raises(ValueError, match="lies in the grid"):
            model.run_part(image, *part)


def test_a_wrong_number_of_threads_is_refused(files):
    model = Model.open(next(iter(files.values())))
    for threads in (0, -1, 65, 2.0, "2", None, float("nan")):
        with pytest.raises(ValueError, match="threads is 1 to 64"):
            model.run(picture(64, 64, model.header["input"]["channels"]), threads=threads)


def test_a_size_that_is_no_whole_number_of_pixels_is_refused(files):
    model = Model.open(files["scanner"])
    assert model.grid(np.int64(16), 16) == (1, 1)
    for h, w in ((64.0, 64), (64, "64"), (None, 64), (2**70, 64), (64, -(2**70))):
        for ask in (model.grid, model.workspace_bytes):
            with pytest.raises(ValueError, match="whole pixels, at most 65536; received .* Cut the picture"):
                ask(h, w)


def test_a_model_that_is_sent_or_copied_says_what_to_do(files):
    model = Model.open(files["scanner"])
    for send in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="Model.open"):
            send(model)


def test_layouts_of_an_image_do_not_change_the_logits(files):
    model = Model.open(files["scanner"])
    image = picture(48, 40, 1)[..., 0]
    want = model.run(image)
    wide = np.zeros((96, 80), np.uint8)
    wide[::2, ::2] = image
    read_only = image.copy()
    read_only.flags.writeable = False
    odd_address = np.frombuffer(b"x" + image.tobytes(), np.uint8, offset=1).reshape(48, 40)
    backwards = np.ascontiguousarray(image[::-1, ::-1])[::-1, ::-1]
    for same in (np.asfortranarray(image), wide[::2, ::2], backwards, read_only, odd_address, memoryview(image)):
        assert same_bits(model.run(same), want)


def test_a_forked_process_runs_the_model_of_its_parent(files):
    code = f"""
import os, sys, numpy as np
from aoienet.engine import Model
model, image = Model.open({str(files["scanner"])!r}), np.arange(64 * 64, dtype=np.uint32).astype(np.uint8).reshape(64, 64)
want = model.run(image, threads=2).tobytes()
child = os.fork()
if child == 0:
    os._exit(0 if model.run(image).tobytes() == want and model.run(image, threads=2).tobytes() == want else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))


def test_other_python_threads_go_on_while_a_model_runs(files, monkeypatch):
    """The interpreter is told not to switch by itself, so another thread gets its turn where the runtime lets it."""
    monkeypatch.setenv("AOIENET_ISA", "reference")
    model, image = Model.open(files["scanner_wide"]), picture(640, 640, 1)
    turns, done = [0], threading.Event()

    def count():
        while not done.is_set():
            turns[0] += 1
            time.sleep(0.001)

    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(60.0)
    other = threading.Thread(target=count)
    try:
        other.start()
        before = turns[0]
        model.run(image)
        after = turns[0]
    finally:
        done.set()
        sys.setswitchinterval(switch_s)
        other.join()
    assert after > before


def test_memory_that_is_too_little_is_told():
    code = """
import resource, sys, numpy as np
from aoienet.engine import _core
file = np.zeros(256 << 20, np.uint8)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
try:
    _core.open(file)
except MemoryError as error:
    sys.exit("the model fits into memory; received a file of 268435456 bytes." not in str(error))
sys.exit("opened")
"""
    if not Path("/proc/self/statm").exists():
        pytest.skip("the limit is set from /proc, which this system has not")
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))

"""Any ONNX segmentation network with one picture in and one map out, of the same size or without the halo, run by ONNX Runtime.

What a file does not say stands in its metadata under "aoienet.segment" (ours) or in NAME.json beside NAME.onnx (the user's), both
the fields of Options. What neither says is measured on made-up pictures when the file is opened.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aoienet.segment import SegmentError, check_sides

METADATA_KEY = "aoienet.segment"
OUTPUTS = ("auto", "logits", "probability")
INPUT_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
PROBE_PX = 512  # side of the made-up pictures
# A pixel inside of a window against one that is seen, of networks that leave the halo out by themselves: light and heavy of two sizes,
# timed with windows of 32 to 512 px, 16 and 11; on scattered cells all from 8 to 20 are alike.
INSIDE_COST = 10
SAME = 1e-5  # of the largest answer: what differs by less has not changed


@dataclass(frozen=True)
class Options:
    """How a network reads pixels, and what its answer means.

    mean, std       the network sees (u - mean) / std of pixels u = 0..255, one value or one per channel; not used for uint8 inputs
    bgr             channels are blue, green, red
    output          logits, probability, or auto: probability if all answers to made-up pictures lie in 0..1 (and two channels
                    add up to 1)
    output_name     of the map, where the network has several outputs; "": the first
    crack_channel   of two channels, the one of cracks
    halo_px         how far the network looks; -1: measured
    align_px        sides and places of tiles are multiples of this
    threshold       a pixel is crack from this probability on
    """

    name: str = ""
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (255.0,)
    bgr: bool = False
    output: str = "auto"
    output_name: str = ""
    crack_channel: int = 1
    halo_px: int = -1
    align_px: int = 32
    threshold: float = 0.5


class OnnxSegmenter:
    """A Segmenter out of an .onnx file. Raises SegmentError where the file is not a segmentation network."""

    def __init__(self, path: str | Path, options: Options | None = None, threads: int = 1):
        path = Path(path)
        try:
            self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise SegmentError(f"cannot open {path}: {error.strerror}") from None
        self._path, self._session = path, _session(path, threads)
        self.options = options or stored_options(path, self._session.get_modelmeta().custom_metadata_map)
        self.name = self.options.name or path.stem
        self._input, self._type = self._checked_input()
        self._output = self._checked_output()
        shape = self._input.shape
        self.channels: int = shape[1]
        self.side_px: int = shape[2] if isinstance(shape[2], int) else 0
        self.align_px, self.threshold = self.options.align_px, self.options.threshold
        self._check_options()
        self.probability, self.halo_px, self.inside_cost = False, max(0, self.options.halo_px), 0
        self._probe()

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """uint8 [H, W] or [H, W, 3] -> float32 [H - 2 halo_px, W - 2 halo_px]."""
        raw_KHW = self._answer(image)
        edge = self.halo_px - (len(image) - raw_KHW.shape[1]) // 2  # what the network has not left out by itself
        rows, columns = raw_KHW.shape[1:]
        return self._odds_to_probability(raw_KHW[:, edge : rows - edge, edge : columns - edge])

    def _answer(self, image: np.ndarray) -> np.ndarray:
        """The raw map for the picture: [K, H, W], or less by halo_px at each edge."""
        wanted = "[H, W]" if self.channels == 1 else f"[H, W, {self.channels}]"
        if image.dtype != np.uint8 or image.shape[2:] != ((3,) if self.channels == 3 else ()) or 0 in image.shape:
            raise SegmentError(f"{self.name} takes uint8 {wanted}; received {image.shape} {image.dtype}")
        check_sides(self, image)
        x_NCHW = self._transformed(image[:, :, None] if image.ndim == 2 else image)
        try:
            (answer,) = self._session.run([self._output], {self._input.name: x_NCHW})
        except Exception as error:  # ONNX Runtime's own exceptions share no base class
            raise SegmentError(
                f"{self._path} could not be run on {image.shape[1]}x{image.shape[0]} px ({_short(error)}); if it takes only some "
                "sizes, say so with align_px in its .json"
            ) from None
        return self._map(answer, image.shape[:2])

    def _transformed(self, pixels_HWC: np.ndarray) -> np.ndarray:
        if self.options.bgr:
            pixels_HWC = pixels_HWC[:, :, ::-1]
        x = np.ascontiguousarray(pixels_HWC.transpose(2, 0, 1)[None])
        if self._type is np.uint8:
            return x
        mean, std = (np.array(v, np.float32).reshape(1, -1, 1, 1) for v in (self.options.mean, self.options.std))
        return ((x - mean) / std).astype(self._type)

    def _map(self, answer: np.ndarray, hw: tuple[int, ...]) -> np.ndarray:
        """The answer as [1 or 2, H, W], or without the halo."""
        found = answer.reshape(answer.shape[0], 1, *answer.shape[1:]) if answer.ndim == 3 else answer
        sizes = [hw, tuple(n - 2 * self.options.halo_px for n in hw)]
        if found.ndim != 4 or found.shape[0] != 1 or found.shape[1] not in (1, 2) or found.shape[2:] not in sizes:
            raise SegmentError(
                f"{self._path}: a segmentation network answers {hw[1]}x{hw[0]} px with a map 1 x 1 (or 2) x {hw[0]} x {hw[1]}, or "
                f"one that is smaller by halo_px at each edge where its options say halo_px; received the shape {answer.shape} from "
                f"output {self._output!r}"
            )
        if not np.isfinite(found).all():
            raise SegmentError(f"{self._path}: the answer is not finite; check mean and std in its .json")
        return found[0].astype(np.float32)

    def _odds_to_probability(self, raw_KHW: np.ndarray) -> np.ndarray:
        crack = self.options.crack_channel
        if self.probability:
            return raw_KHW[crack if len(raw_KHW) == 2 else 0]
        odds = raw_KHW[0] if len(raw_KHW) == 1 else raw_KHW[crack] - raw_KHW[1 - crack]
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-odds))

    def _checked_input(self) -> tuple[Any, Any]:
        inputs = self._session.get_inputs()
        rule = "a segmentation network has one input, batch x channels x height x width with 1 or 3 channels, float or uint8"
        if len(inputs) != 1:
            raise SegmentError(
                f"{self._path}: {rule}; received {len(inputs)} inputs: {', '.join(i.name for i in inputs)}"
            )
        (one,) = inputs
        shape = one.shape
        if one.type not in INPUT_TYPES or len(shape) != 4 or shape[1] not in (1, 3):
            last = " (channels last: export it with channels first)" if len(shape) == 4 and shape[3] in (1, 3) else ""
            raise SegmentError(f"{self._path}: {rule}; received {shape} {one.type}{last}")
        if shape[0] not in (1, None) and not isinstance(shape[0], str):
            raise SegmentError(
                f"{self._path}: pictures come one by one; received a batch of {shape[0]}: export it with batch 1"
            )
        fixed = [n for n in shape[2:] if isinstance(n, int)]
        if len(fixed) == 1 or len(set(fixed)) == 2:
            raise SegmentError(f"{self._path}: a fixed size must be square; received {shape[2]} x {shape[3]}")
        return one, INPUT_TYPES[one.type]

    def _checked_output(self) -> str:
        names = [o.name for o in self._session.get_outputs()]
        name = self.options.output_name or names[0]
        if name not in names:
            raise SegmentError(f"{self._path}: no output {name!r}; it has: {', '.join(names)}")
        return name

    def _check_options(self) -> None:
        o, where = self.options, f"{self._path}: options"
        if o.output not in OUTPUTS or o.crack_channel not in (0, 1):
            raise SegmentError(
                f"{where}: output is one of {', '.join(OUTPUTS)} and crack_channel 0 or 1; received {o.output!r}, {o.crack_channel!r}"
            )
        for key, values in (("mean", o.mean), ("std", o.std)):
            if len(values) not in (1, self.channels) or not np.isfinite(values).all() or (key == "std" and 0 in values):
                raise SegmentError(
                    f"{where}: {key} is one finite number or one per channel, here {self.channels} (std: not 0); received {values}"
                )
        if (
            o.align_px < 1
            or not 0 <= o.threshold <= 1
            or (o.halo_px != -1 and (o.halo_px < 0 or o.halo_px % o.align_px))
        ):
            raise SegmentError(
                f"{where}: align_px at least 1, halo_px a multiple of it (or -1), threshold in 0..1; received {o.align_px}, "
                f"{o.halo_px}, {o.threshold}"
            )

    def _probe(self) -> None:
        """What the answers are, and how far the network looks, from made-up pictures."""
        side = self.side_px or -(-max(PROBE_PX, 2 * self.halo_px + 1) // self.align_px) * self.align_px
        shape = (side, side) if self.channels == 1 else (side, side, 3)
        noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        answers = [self._answer(image) for image in (noise, noise // 8, np.zeros_like(noise))]
        if answers[0].shape[1] < side:
            self.inside_cost = INSIDE_COST
        if self.options.output == "auto":
            inside = all(a.min() >= 0 and a.max() <= 1 for a in answers)
            whole = all(len(a) == 1 or np.abs(a.sum(axis=0) - 1).max() < 1e-3 for a in answers)
            self.probability = inside and whole
        else:
            self.probability = self.options.output == "probability"
        if self.options.halo_px < 0:
            self.halo_px = self._measured_halo(noise, answers[0])

    def _measured_halo(self, noise: np.ndarray, answer: np.ndarray) -> int:
        """How far a changed block in the middle is seen, rounded up to align_px."""
        side, align = len(noise), self.align_px
        first = side // 2 // align * align
        reach = 0
        for change in (lambda u: 255 - u, lambda u: u // 4, lambda u: u // 4 + 192):
            other = noise.copy()
            block = np.s_[first : first + align, first : first + align]
            other[block] = change(noise[block])
            changed = np.abs(self._answer(other) - answer).max(axis=0) > SAME * np.abs(answer).max()
            rows, columns = np.nonzero(changed)
            if len(rows):
                lines = np.concatenate([rows, columns])
                reach = max(reach, first - int(lines.min()), int(lines.max()) - (first + align - 1))
        if reach >= side - first - align or reach >= first:
            raise SegmentError(
                f"{self._path}: what the network says of a pixel depends on pixels {reach} px away and further, so tiles would differ "
                f"from the whole picture; give halo_px (a multiple of {align}) in {self._path.stem}.json to accept that"
            )
        return -(-reach // align) * align


def stored_options(path: Path, metadata: dict[str, str]) -> Options:
    """Options of the file's metadata, replaced by those of the .json beside it. Raises SegmentError: unreadable, unknown key."""
    values: dict[str, Any] = {}
    beside = path.with_suffix(".json")
    texts = [("its metadata", metadata.get(METADATA_KEY, "{}"))]
    if beside.is_file():
        texts.append((str(beside), beside.read_text(encoding="utf-8")))
    for where, text in texts:
        values |= _parsed(where, text, path)
    return Options(**values)


def _parsed(where: str, text: str, path: Path) -> dict[str, Any]:
    fields = {f.name: f for f in dataclasses.fields(Options)}
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise SegmentError(f"{path}: {where} is not JSON ({error})") from None
    if not isinstance(document, dict):
        raise SegmentError(f"{path}: {where} must be an object with the options; received {type(document).__name__}")
    out: dict[str, Any] = {}
    for key, value in document.items():
        if key not in fields:
            raise SegmentError(f"{path}: unknown option {key!r} in {where}; known: {', '.join(fields)}")
        default = fields[key].default
        if isinstance(default, tuple):
            numbers = value if isinstance(value, list) else [value]
            good = all(isinstance(n, (int, float)) for n in numbers)
            value = tuple(float(n) for n in numbers) if good else value
        elif isinstance(default, float):
            good = isinstance(value, (int, float)) and not isinstance(value, bool)
        else:
            good = type(value) is type(default)
        if not good:
            raise SegmentError(f"{path}: option {key} in {where} must be like {default!r}; received {value!r}")
        out[key] = value
    return out


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    settings.log_severity_level = 3
    settings.enable_mem_pattern = False  # inputs differ in size
    try:
        return onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions share no base class
        raise SegmentError(f"{path} is not an ONNX file that ONNX Runtime can run: {_short(error)}") from None


def _short(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]

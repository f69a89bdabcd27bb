"""What the packed networks are measured against: the same topology in real numbers, quantized to int8, and as binary
convolutions of OpenVINO. OpenVINO is optional: pip install -e ".[bench]"."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quant_pre_process, quantize_static
from torch import Tensor, nn

from aoienet.models.blocks.unit import Unit
from aoienet.models.spec import NetSpec
from aoienet.nn.cell import Cell
from aoienet.nn.shortcut.avgpool_dup import AvgPoolDup

Call = Callable[[], object]


class TwinUnit(nn.Module):
    """ReLU(BN(conv(x)) + shortcut(x)): a unit of the zoo without binarization; the shortcut halves by means, doubles by copies."""

    def __init__(self, inputs: int, unit: Unit):
        super().__init__()
        self.conv = nn.Conv2d(inputs, unit.out, unit.kernel, unit.stride, unit.kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(unit.out)
        self.shortcut = AvgPoolDup(inputs, unit.out, unit.stride, Cell())

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.bn(self.conv(x)) + self.shortcut(x))


class Twin(nn.Module):
    """The convolutions of a network of the zoo in real numbers, dense; three colours enter, without a thermometer."""

    def __init__(self, spec: NetSpec):
        super().__init__()
        layers: list[nn.Module] = []
        channels = spec.in_channels
        for conv in spec.stem.convs:
            layers += [nn.Conv2d(channels, conv.out, conv.kernel, conv.stride, conv.kernel // 2, bias=False)]
            layers += [nn.BatchNorm2d(conv.out), nn.ReLU()]
            channels = conv.out
        layers += [nn.MaxPool2d(3, 2, 1)] if spec.stem.maxpool else []
        for unit in spec.body:
            assert isinstance(unit, Unit)
            layers.append(TwinUnit(channels, unit))
            channels = unit.out
        self.layers = nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, spec.num_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def write_onnx(net: nn.Module, x: np.ndarray, path: Path) -> Path:
    torch.onnx.export(net.eval(), (torch.from_numpy(x),), path, input_names=["image"], dynamo=False, verbose=False)
    return path


class Samples(CalibrationDataReader):
    def __init__(self, pictures: Iterator[np.ndarray]):
        self.pictures = iter(pictures)

    def get_next(self) -> dict[str, np.ndarray] | None:  # type: ignore[override]
        picture = next(self.pictures, None)
        return None if picture is None else {"image": picture}


def quantize(path: Path, pictures: Iterator[np.ndarray]) -> Path:
    """Static QDQ: int8 weights by channel, uint8 activations from the range of the calibration pictures."""
    ready, out = path.with_suffix(".ready.onnx"), path.with_suffix(".int8.onnx")
    quant_pre_process(path, ready)
    quantize_static(
        ready, out, Samples(pictures), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    return out


def onnxruntime_call(path: Path, x: np.ndarray, threads: int = 1) -> Call:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"image": x})


def openvino_call(model: Any, x: np.ndarray, threads: int = 1) -> Call:
    """A path of an ONNX file or a model of OpenVINO; float32 stays float32."""
    import openvino

    core = openvino.Core()
    hints = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(
        core.read_model(model) if isinstance(model, Path) else model, "CPU", hints
    ).create_infer_request()
    return lambda: request.infer([x])


def openvino_binary(spec: NetSpec) -> Any:
    """One plane by OpenVINO's BinaryConvolution: sign by a FakeQuantize of two levels, then scale, shortcut, PReLU in float."""
    import openvino
    from openvino import opset1 as op

    rng = np.random.default_rng(0)

    def constant(*shape: int) -> Any:
        return op.constant(rng.normal(size=shape).astype(np.float32) * 0.1)

    def real_conv(x: Any, inputs: int, outputs: int, kernel: int, stride: int) -> Any:
        pad = [kernel // 2] * 2
        y = op.convolution(x, constant(outputs, inputs, kernel, kernel), [stride] * 2, pad, pad, [1, 1])
        return op.add(y, constant(1, outputs, 1, 1))

    image = x = op.parameter([1, spec.in_channels, *spec.input_hw], np.float32)
    channels = spec.in_channels
    for conv in spec.stem.convs:
        x = op.relu(real_conv(x, channels, conv.out, conv.kernel, conv.stride))
        channels = conv.out
    if spec.stem.maxpool:
        x = op.max_pool(x, [2, 2], [1, 1], [1, 1], [3, 3])
    for unit in spec.body:
        x = binary_unit(op, openvino, x, channels, unit, rng)
        channels = unit.out
    side = op.reduce_mean(x, op.constant(np.array([2, 3])), False)
    y = op.matmul(side, constant(channels, spec.num_classes), False, False)
    return openvino.Model([y], [image], "binary")


def binary_unit(op: Any, openvino: Any, x: Any, channels: int, unit: Unit, rng: np.random.Generator) -> Any:
    pad = [unit.kernel // 2] * 2
    zero, low, high = (op.constant(np.full((1, 1, 1, 1), v, np.float32)) for v in (0.0, -1.0, 1.0))
    shift = op.constant(rng.normal(size=(1, channels, 1, 1)).astype(np.float32) * 0.1)
    bits = op.fake_quantize(x, shift, shift, low, high, 2)
    packed = rng.integers(0, 256, (unit.out * channels * unit.kernel**2 // 8), dtype=np.uint8)
    shape = openvino.Shape([unit.out, channels, unit.kernel, unit.kernel])
    weight = openvino.op.Constant(openvino.Tensor(packed, shape, openvino.Type.u1))
    y = op.binary_convolution(bits, weight, [unit.stride] * 2, pad, pad, [1, 1], "xnor-popcount", -1.0)
    y = op.add(op.multiply(y, op.constant(rng.normal(size=(1, unit.out, 1, 1)).astype(np.float32))), zero)
    short = x
    if unit.stride == 2:
        short = op.avg_pool(x, [2, 2], [0, 0], [0, 0], [2, 2], True)
    if unit.out == 2 * channels:
        short = op.concat([short, short], 1)
    return op.prelu(op.add(y, short), op.constant(np.full(unit.out, 0.25, np.float32)))

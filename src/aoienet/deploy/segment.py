"""A trained segmentation network as a file that says how it is run (aoienet.segment reads it)."""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from pathlib import Path
from typing import Any

import torch

from aoienet.deploy import format
from aoienet.deploy.export import pack as pack_network
from aoienet.models.segment.binary import SPEC, STRIDE, BinaryUNet
from aoienet.models.segment.light import LEVELS_PER_UNIT, MEAN_LEVEL, Inside, LightUNet, TwoScales

METADATA_KEY = "aoienet.segment"  # its value: the fields of aoienet.segment.onnx.Options


@torch.no_grad()
def export(net: LightUNet, path: str | Path, name: str, threshold: float, wide_shift: float | None = None) -> None:
    """Write `path` (opset 17), any size, batch norm folded. Input "image": float32 1 x C x H x W, (u - mean) / std of pixels u;
    output "logits": 1 x 1 x (H - 2 halo_px) x (W - 2 halo_px), as models.segment.light.TwoScales gives it, or Inside where there
    is no wide_shift."""
    import onnx

    whole: Inside | TwoScales = Inside(net) if wide_shift is None else TwoScales(net, wide_shift)
    options = {
        "name": name,
        "mean": [MEAN_LEVEL],
        "std": [LEVELS_PER_UNIT],
        "output": "logits",
        "halo_px": whole.halo_px,
        "align_px": whole.align_px,
        "threshold": threshold,
    }
    plain = whole.float().eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    side = 2 * whole.halo_px + 4 * whole.align_px
    image = torch.zeros(1, net.in_channels, side, side)
    sides, inner = {2: "height", 3: "width"}, {2: "inner_height", 3: "inner_width"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own deprecation; the file is checked in tests
        torch.onnx.export(
            plain, (image,), str(path), input_names=["image"], output_names=["logits"], opset_version=17, dynamo=False,
            dynamic_axes={"image": sides, "logits": inner},
        )  # fmt: skip
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(options)})
    onnx.save(model, str(path))


def pack(
    net: BinaryUNet,
    path: str | Path,
    name: str,
    threshold: float,
    transform: dict[str, Any],
    meta: dict[str, Any] | None = None,
) -> None:
    """Write `path`, an .aoie file for aoienet.segment.aoie; threshold: a probability."""
    classes = [f"pixel_{row}_{column}" for row in range(STRIDE) for column in range(STRIDE)]
    scan: dict[str, float] = {
        "block_px": STRIDE,
        "block_stride_px": STRIDE,
        "align_px": net.align_px,
        "total_stride": STRIDE,
    }
    scan |= {"defect": 0, "temperature": 1.0, "threshold": math.log(threshold / (1 - threshold))}
    info = {
        "classes": classes,
        "transform": transform,
        "scan": scan,
        "model_name": SPEC.name,
        "recipe": {},
        "result": {},
    }
    format.write(path, *pack_network(net.binary, info | (meta or {}), name))


def write(net: torch.nn.Module, info: dict[str, Any], path: str | Path, name: str) -> None:
    """The network of a run, `info` as train.load_run gives it: .onnx of a LightUNet, .aoie of a BinaryUNet. Raises ValueError:
    another ending."""
    wanted = ".onnx" if isinstance(net, LightUNet) else ".aoie"
    if Path(path).suffix != wanted:
        raise ValueError(f"{info['model_name']} is written as a {wanted} file; received {path}")
    threshold = info["result"].get("threshold", 0.5)
    if isinstance(net, LightUNet):
        export(net, path, name, threshold, info["result"].get("wide_shift"))
    else:
        pack(net, path, name, threshold, info["transform"], {key: info[key] for key in ("recipe", "result")})  # type: ignore[arg-type]


MEASURES = ("f1", "precision", "recall", "iou", "f1_2px", "cldice", "crack_recall")


def card(net: torch.nn.Module, info: dict[str, Any], name: str, content: bytes) -> str:
    """Markdown text on a finished run's file."""
    older = {"threshold_rule": "the threshold of the best F1 on validation photographs"}  # runs that do not say it
    result = older | info["result"]
    weights = sum(p.numel() for p in net.parameters())
    what = (
        "float32 U-Net, depthwise separable"
        if isinstance(net, LightUNet)
        else "U-Net of binary AOIE blocks, a class per pixel of 4x4"
    )
    lines = [
        f"# {name}",
        "",
        f"Crack segmentation `{info['model_name']}`: {what}, {weights:,} parameters in training, {len(content):,} bytes, "
        f"sha256 `{hashlib.sha256(content).hexdigest()}`.",
        "",
        f"- data: {result['split']}",
        f"- training: {result['epochs_done']} epochs, seed {result['recipe']['seed']}, the last epoch is the result; one run; "
        f"{result['seconds'] / 60:.0f} minutes with {result['environment']['threads']} thread(s)",
        f"- command: `{result['command']}`",
        f"- a pixel is crack from probability {result['threshold']:.3f} on: {result['threshold_rule']}",
        *(
            [
                f"- wide cracks: the larger of two log-odds counts, of the picture and of the same at half its size less {shift:g}, which was "
                "chosen by the best F1 on validation photographs"
            ]
            if (shift := result.get("wide_shift"))
            else []
        ),
        "",
        "Pooled pixels of the test parts, in per cent; intervals, definitions and failures: docs/results.",
        "",
        "| test part | n | " + " | ".join(MEASURES) + " |",
        "|---" * (len(MEASURES) + 2) + "|",
    ]
    for part, row in result["test"].items():
        if "f1" in row:
            cells = [f"{100 * row[key]:.1f}" for key in MEASURES]
            lines.append(f"| {part} | {row['pictures']} | " + " | ".join(cells) + " |")
    lines.append("")
    for part, row in result["test"].items():
        if "false_crack_pixels" in row:
            share = row["false_crack_pixels"]
            lines.append(
                f"- {part}, {row['pictures']} pictures taken as clean: {100 * share['value']:.3f} % of the pixels are called crack"
            )
    return "\n".join([*lines, ""])

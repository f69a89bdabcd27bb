"""Small ONNX segmentation networks with random weights, made without PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def unet(
    path: Path,
    channels: int = 1,
    out: int = 1,
    side: int | None = None,
    end: str = "",
    metadata: str = "",
    global_pool: bool = False,
    channels_last: bool = False,
    keep_size: bool = True,
    edge: int = 0,
    dtype: int = TensorProto.FLOAT,
) -> Path:
    """3x3, 3x3 stride 2, 3x3 stride 2, twice nearest x2, skip, 3x3: sides are multiples of 4, a pixel sees 8 px. `edge` pixels of
    the answer are cut off all round."""
    rng = np.random.default_rng(1)
    weights, nodes = [], []

    def conv(name: str, source: str, inside: int, outside: int, stride: int = 1) -> str:
        w = rng.standard_normal((outside, inside, 3, 3)).astype(np.float32) / (3 * inside**0.5)
        weights.append(numpy_helper.from_array(w, f"{name}_w"))
        weights.append(numpy_helper.from_array(rng.standard_normal(outside).astype(np.float32) / 4, f"{name}_b"))
        inputs = [source, f"{name}_w", f"{name}_b"]
        nodes.append(helper.make_node("Conv", inputs, [name], pads=[1, 1, 1, 1], strides=[stride, stride]))
        return name

    def relu(source: str) -> str:
        nodes.append(helper.make_node("Relu", [source], [f"{source}_r"]))
        return f"{source}_r"

    def up(source: str) -> str:
        nodes.append(
            helper.make_node(
                "Resize", [source, "", "twice"], [f"{source}_u"], mode="nearest", nearest_mode="floor",
                coordinate_transformation_mode="asymmetric",
            )
        )  # fmt: skip
        return f"{source}_u"

    source = "image"
    if dtype != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", ["real", "scale"], ["scaled"]))
        weights.append(numpy_helper.from_array(np.float32(1 / 255), "scale"))
        source = "scaled"
    if channels_last:
        nodes.append(helper.make_node("Transpose", [source], ["first"], perm=[0, 3, 1, 2]))
        source = "first"
    weights.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "twice"))
    fine = relu(conv("c0", source, channels, 6))
    deep = relu(conv("c2", relu(conv("c1", fine, 6, 8, 2)), 8, 6, 2))
    if global_pool:
        nodes.append(helper.make_node("GlobalAveragePool", [deep], ["pooled"]))
        nodes.append(helper.make_node("Add", [deep, "pooled"], ["deep_pooled"]))
        deep = "deep_pooled"
    if keep_size:
        nodes.append(helper.make_node("Add", [fine, up(up(deep))], ["joined"]))
        deep = "joined"
    last = conv("c3", deep, 6, out)
    if edge:
        for name, value in (("from", [edge, edge]), ("to", [-edge, -edge]), ("axes", [2, 3])):
            weights.append(numpy_helper.from_array(np.array(value, np.int64), name))
        nodes.append(helper.make_node("Slice", [last, "from", "to", "axes"], ["inside"]))
        last = "inside"
    if end:
        attributes = {"axis": 1} if end == "Softmax" else {}
        nodes.append(helper.make_node(end, [last], ["map"], **attributes))
    else:
        nodes.append(helper.make_node("Identity", [last], ["map"]))
    hw: list[int | str] = [side, side] if side else ["h", "w"]
    shape = [1, *hw, channels] if channels_last else [1, channels, *hw]
    graph = helper.make_graph(
        nodes,
        "unet",
        [helper.make_tensor_value_info("image", dtype, shape)],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, None)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if metadata:
        helper.set_model_props(model, {"aoienet.segment": metadata})
    onnx.save(model, path)
    return path

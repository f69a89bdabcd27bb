"""ONNX Runtime, on the unfolded graph, gives the packed network's logits."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("name", ["aoienet_cifar", "aoienet_scan"])
def test_onnx_runtime_agrees_with_the_packed_network(name, random_net, tmp_path):
    import onnxruntime

    from aoienet.deploy import onnx, pictures, simulate
    from tests.deploy.test_export import packed

    net = random_net(name)
    header, tensors = packed(net, tmp_path)
    onnx.export(net, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    agreed = []
    for image in pictures.pictures(header, 60):
        values = simulate.run(header, tensors, image)
        first = values[0][..., None] if values[0].ndim == 2 else values[0]
        (logits,) = session.run(None, {"image": first.astype(np.float32).transpose(2, 0, 1)[None]})
        logits = logits[0].transpose(1, 2, 0) if logits.ndim == 4 else logits[None]
        agreed += (np.abs(logits - values[-1]) < 1e-3).ravel().tolist()
    # a float32 sum beside a threshold may flip one bit; most logits must still be the same to rounding
    assert np.mean(agreed) > 0.7

"""docs/add/network.md: the file that it shows is found, built, counted and packed."""

import re
import sys
from pathlib import Path

import torch

from aoienet import models
from aoienet.deploy import cost, export
from aoienet.models import zoo

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "add" / "network.md"


def test_the_guides_network_is_found_built_counted_and_packed(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "my_net.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(zoo, "__path__", [*zoo.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "aoienet.models.zoo.my_net", raising=False)
    assert "mynet_resnet20" in models.list_models("mynet*")
    net = models.create_model("mynet_resnet20", num_classes=5)
    assert net(torch.zeros(2, 3, 32, 32)).shape == (2, 5)
    assert cost.cost_of(net).binary_weights == 267_264
    assert export.graph_of(net.eval()).ops[-1].entry["op"] == "linear"
    monkeypatch.undo()
    sys.modules.pop("aoienet.models.zoo.my_net", None)

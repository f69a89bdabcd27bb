"""docs/add/activation.md and weight.md, executed: the file of each guide, found in the package and run through the contract."""

import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest
import torch
from tests.quant import test_contract

from aoienet import parts
from aoienet.models import create_model

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [("activation", "quant.act", "act_q"), ("weight", "quant.weight", "weight_q")]


def guide(name: str) -> str:
    return (ROOT / "docs" / "add" / f"{name}.md").read_text()


def step_path(text: str, folder: str) -> str:
    """The file that the guide says to make."""
    return re.search(rf"Make `(src/aoienet/{folder}/\w+\.py)`", text)[1]


@pytest.fixture
def added(request, tmp_path, monkeypatch):
    """The guide's file as a part of the package, without a change of the source tree; (name, class)."""
    name, package, _ = request.param
    text = guide(name)
    file = Path(step_path(text, package.replace(".", "/")))
    (tmp_path / file.name).write_text(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1])
    root = importlib.import_module(f"aoienet.{package}")
    monkeypatch.setattr(root, "__path__", [*root.__path__, str(tmp_path)])
    module = f"aoienet.{package}.{file.stem}"
    own = sys.modules.pop(module, None)  # of a reader who really made the file
    parts.known.cache_clear()
    yield file.stem, parts.find(package, file.stem)
    parts.known.cache_clear()
    del sys.modules[module]
    if own is not None:
        sys.modules[module] = own


def contract(groups) -> list:
    """The contract tests that take (name, kind) of one of these groups, with one value of what else they take."""
    found = []
    for test in vars(test_contract).values():
        for mark in getattr(test, "pytestmark", []):
            if mark.args[0] == ("name", "kind") and any(mark.args[1] == sorted(group.items()) for group in groups):
                found.append(test)
    return found


def run_contract(tests: list, name: str, kind: type) -> int:
    for test in tests:
        wanted = set(inspect.signature(test).parameters) - {"name", "kind"}
        test(name, kind, **{k: v for k, v in {"progress": 0.5, "shape": (8, 3, 3, 3)}.items() if k in wanted})
    return len(tests)


@pytest.mark.parametrize("added", GUIDES[:1], indirect=True)
def test_the_activation_of_the_guide_is_found_and_keeps_the_contract(added):
    name, kind = added
    assert run_contract(contract([test_contract.ALL, test_contract.PLANES]), name, kind) >= 6


@pytest.mark.parametrize("added", GUIDES[1:], indirect=True)
def test_the_weights_of_the_guide_are_found_and_keep_the_contract(added):
    name, kind = added
    assert run_contract(contract([test_contract.WEIGHTS, test_contract.BINARY]), name, kind) >= 6


@pytest.mark.parametrize("added", GUIDES, indirect=True)
def test_a_broken_file_does_not_keep_the_contract(added, monkeypatch):
    name, kind = added
    groups = [test_contract.PLANES] if hasattr(kind, "levels") else [test_contract.BINARY]
    monkeypatch.setattr(kind, "forward", lambda self, x: torch.sign(x) * 0.7)
    with pytest.raises(AssertionError):
        run_contract(contract(groups), name, kind)


@pytest.mark.parametrize(("added", "word"), [(g, g[2]) for g in GUIDES], indirect=["added"])
def test_a_network_takes_the_new_part_by_its_name(added, word):
    call = re.search(rf'create_model\("(\w+)", {word}="(\w+)"\)', guide("activation" if word == "act_q" else "weight"))
    assert call[2] == added[0]
    net = create_model(call[1], **{word: added[0]})
    assert any(isinstance(module, added[1]) for module in net.modules())


@pytest.mark.parametrize(("name", "package", "word"), GUIDES)
def test_steps_are_numbered_paths_exist_and_the_last_step_is_a_command(name, package, word):
    text = guide(name)
    numbers = [int(n) for n in re.findall(r"^(\d+)\. ", text, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert text.rstrip().endswith("`make test T=quant`")
    assert re.search(r"^TESTS := tests\$\(if \$\(T\),/\$\(T\)\)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for path in re.findall(r"`((?:src|tests)/[\w/]+\.py)`", text):
        assert (ROOT / path).is_file() or path == step_path(text, package.replace(".", "/"))
    folder = ROOT / "src" / "aoienet" / package.replace(".", "/")
    for file in re.findall(r"`(\w+\.py)`", text):
        assert (folder / file).is_file()

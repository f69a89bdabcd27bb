"""What is said where an optional package is missing: one sentence, and it names an extra that there is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from aoienet.extras import install

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [p for p in (ROOT / "src" / "aoienet").rglob("*.py") if p.name != "extras.py"]


def without(package: str, *words: object) -> subprocess.CompletedProcess:
    program = f"import sys; sys.modules[{package!r}] = None; from aoienet.cli import main; main()"
    return subprocess.run([sys.executable, "-c", program, *map(str, words)], capture_output=True, text=True)


@pytest.mark.parametrize(
    "words",
    [
        ("train", "--recipe", "folder", "--data", ".", "--out", "{}/run"),
        ("ablate", "--preset", "table1", "--data", ".", "--out", "{}/study"),
        ("pack", "{}", "-o", "{}/m.aoie"),
        ("verify", "neu_cls", "{}"),
        ("cost", "aoienet_cifar"),
        ("models", "--cost", "aoienet_cifar"),
    ],
)
def test_every_verb_of_the_training_side_says_the_same_without_pytorch(words, tmp_path):
    done = without("torch", *(word.format(tmp_path) for word in words))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"needs PyTorch and what belongs to it (torch is missing); {install('train')}" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_missing_package_beside_pytorch_is_no_traceback_either(tmp_path):
    done = without("matplotlib", "train", "--recipe", "folder", "--data", ".", "--out", tmp_path / "run")
    assert done.returncode == 1 and f"(matplotlib is missing); {install('train')}" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_advice_is_formed_in_one_place_and_names_extras_that_exist():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    table = text.split("[project.optional-dependencies]")[1].split("\n[")[0]
    extras = set(re.findall(r"^(\w+) = \[", table, re.M))
    named = {word for p in SOURCES for word in re.findall(r"install\([\"'](\w+)[\"']\)", p.read_text(encoding="utf-8"))}
    assert named == {"train", "tensorboard", "geo", "dask", "marker"} and named <= extras
    assert [p for p in SOURCES if "pip install" in p.read_text(encoding="utf-8")] == []
    assert install("geo") == 'next: pip install ".[geo]" in your clone of aoienet'

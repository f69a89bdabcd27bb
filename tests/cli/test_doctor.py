"""aoienet doctor: a wrong AOIENET_ISA is named, and nothing else is called missing."""

import json

import pytest
from typer.testing import CliRunner

from aoienet import engine
from aoienet.cli import _common, app, doctor


def test_a_wrong_instruction_set_is_named_with_the_right_ones_and_the_models_are_listed(monkeypatch):
    monkeypatch.setenv("AOIENET_ISA", "bogus")
    monkeypatch.setattr(doctor, "PROBE", "print('same')")
    done = CliRunner().invoke(app, ["doctor", "--json"])
    document = json.loads(done.stdout)
    found = document["runtime"]
    assert done.exit_code == 2 and not document["ok"] and not found["ok"]
    assert "AOIENET_ISA is one of reference" in found["error"] and "received 'bogus'" in found["error"]
    assert found["next"] == f"next: unset AOIENET_ISA, or take one of {', '.join(engine.isas())}"
    assert "crack_blocks" in document["models"] and all(test["ok"] for test in document["self_test"])
    said = CliRunner().invoke(app, ["doctor"]).stdout
    assert "received 'bogus'; next: unset AOIENET_ISA" in said and "pip" not in said and "crack_blocks" in said


def test_a_runtime_that_is_not_there_is_to_be_installed(monkeypatch):
    monkeypatch.setattr(engine, "isas", lambda: 1 / 0)
    monkeypatch.setattr(doctor, "PROBE", "print('same')")
    said = CliRunner().invoke(app, ["doctor"]).stdout
    assert "kernel     none: ZeroDivisionError" in said and "pip install" in said and "crack_blocks" in said


@pytest.mark.parametrize(
    ("text", "cores"), [("150000 100000", 1), ("50000 100000", 1), ("max 100000", None), (None, None)]
)
def test_a_container_s_quota_of_cpu_counts_as_cores(monkeypatch, tmp_path, text, cores):
    path = tmp_path / "cpu.max"
    if text is not None:
        path.write_text(text)
    monkeypatch.setattr(_common, "CPU_QUOTA", path)
    monkeypatch.setattr(_common.os, "sched_getaffinity", lambda pid: range(6), raising=False)
    assert _common.default_jobs() == (6 if cores is None else cores)
    path.write_text("450000 100000")
    assert _common.default_jobs() == 4

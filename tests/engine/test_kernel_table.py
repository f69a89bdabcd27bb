"""The table of runtime/README.md is what runtime/src/ops/kernels.inc says."""

import re
from pathlib import Path

RUNTIME = Path(__file__).resolve().parents[2] / "runtime"
SETS = ("reference", "neon", "avx2", "avx512")


def table() -> str:
    """One line per group of ops that have kernels for the same instruction sets, in the order of ops.inc."""
    lines = re.findall(r"AOIE_KERNEL\((\w+), (\w+)\)", (RUNTIME / "src/ops/kernels.inc").read_text())
    have: dict[str, set[str]] = {}
    for op, isa in lines:
        have.setdefault(op, set()).add(isa)
    groups: dict[tuple[bool, ...], list[str]] = {}
    for op in re.findall(r"AOIE_OP\((\w+)\)", (RUNTIME / "src/ops/ops.inc").read_text()):
        groups.setdefault(tuple(isa in have[op] for isa in SETS), []).append(op)
    rows = ["| op | " + " | ".join(SETS) + " |", "|---" * (len(SETS) + 1) + "|"]
    for marks, ops in groups.items():
        rows.append(f"| {', '.join(ops)} | " + " | ".join("x" if mark else "" for mark in marks) + " |")
    return "\n".join(re.sub(r"\|  (?=\|)", "| ", row) for row in rows) + "\n"


def test_the_table_of_the_readme_is_that_of_the_kernels():
    assert table() in (RUNTIME / "README.md").read_text(), f"put this table into runtime/README.md:\n{table()}"


def test_every_kernel_is_of_a_known_instruction_set():
    names = re.findall(r"AOIE_KERNEL\(\w+, (\w+)\)", (RUNTIME / "src/ops/kernels.inc").read_text())
    assert set(names) <= set(SETS) and len(names) > 20

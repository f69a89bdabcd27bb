"""The run folder: atomic files, checkpoints with all random states, and how others read a finished run."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
import pickle
import platform
import random
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch

from aoienet import __version__
from aoienet.train import networks, ranks
from aoienet.train.recipes import recipe_dict, recipe_from

# Older ones are read and resumed like any other: 1, without a `version`, knows whole epochs only; 2 has a recipe without groups.
CHECKPOINT_VERSION = 3
NEEDED = ("recipe", "state", "epoch", "random")
# what torch.load raises on bytes that are no checkpoint
UNREADABLE = (
    RuntimeError,
    ValueError,
    LookupError,
    EOFError,
    OSError,
    TypeError,
    AttributeError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)


def write_atomic(path: Path, content: bytes) -> None:
    """Whole file or none, also when the machine loses power; on an error the file stays as it was before. Of several
    processes that train together the first writes.

    Raises    OSError with the same errno: the path, the needed and the free bytes.
    """
    if not ranks.first():
        return
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        free = shutil.disk_usage(path.parent).free if path.parent.is_dir() else 0
        text = (
            f"{path} needs {len(content):,} bytes and could not be written ({error.strerror}; {free:,} bytes are free)"
        )
        again = "--resume" if (path.parent / "checkpoint.pt").is_file() else "start again"
        raise OSError(error.errno, f"{text}; what stood there before is whole: make room, then {again}") from error


def sync_folder(folder: Path) -> None:
    """The new name of a replaced file reaches the disk; only POSIX opens folders."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, document: Any) -> None:
    """JSON without NaN: what is not finite becomes null."""
    text = json.dumps(finite(document), indent=2, ensure_ascii=False)
    write_atomic(path, (text + "\n").encode())


def finite(value: Any) -> Any:
    """The same document with null for NaN and infinity."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_metrics(out: Path, history: list[dict]) -> None:
    """metrics.jsonl and, without what is told layer by layer, metrics.csv from all epochs so far."""
    lines = [json.dumps(finite(row)) for row in history]
    write_atomic(out / "metrics.jsonl", ("\n".join(lines) + "\n").encode())
    keys = list(dict.fromkeys(k for row in history for k, v in row.items() if not isinstance(v, dict)))
    table = io.StringIO()
    writer = csv.DictWriter(table, keys, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_atomic(out / "metrics.csv", table.getvalue().encode())


def random_states() -> dict:
    """The states of Python, NumPy and PyTorch as plain values that torch.load(weights_only=True) accepts."""
    version, words, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # type: ignore[misc]
    return {
        "python": [version, list(words), gauss],
        "numpy": [kind, [int(k) for k in keys], int(position), int(has_gauss), float(cached)],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random(states: dict) -> None:
    """Undo random_states."""
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, np.array(keys, np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])


def save_checkpoint(out: Path, document: dict) -> None:
    """checkpoint.pt, replaced in one step."""
    if not ranks.first():
        return
    content = io.BytesIO()
    torch.save({"version": CHECKPOINT_VERSION} | document, content)
    write_atomic(out / "checkpoint.pt", content.getvalue())


def read_checkpoint(out: Path) -> dict:
    """checkpoint.pt of a run folder; no code in it is executed.

    Raises    FileNotFoundError; ValueError: cut short, damaged, of another program, or of a newer version.
    """
    path = Path(out) / "checkpoint.pt"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: {out} is not a run folder of aoienet train, or no checkpoint was reached; next: name another folder"
        )
    content = path.read_bytes()
    wrong = f"{path} ({len(content):,} bytes) is not a whole checkpoint of aoienet train"
    advice = "it was cut short or another program wrote it; restore the file, or train again into another --out"
    try:
        damaged = zipfile.ZipFile(io.BytesIO(content)).testzip()  # torch.load compares no checksum
        saved = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise ValueError(f"{wrong}: {advice}") from error
    if damaged is not None:
        raise ValueError(f"{path} is damaged: the checksum of {damaged} differs; {advice}")
    missing = [key for key in NEEDED if not isinstance(saved, dict) or key not in saved]
    version = 1 if len(missing) == len(NEEDED) else saved.get("version", 1)
    if isinstance(version, int) and version > CHECKPOINT_VERSION:
        known = f"this aoienet reads versions up to {CHECKPOINT_VERSION}"
        raise ValueError(f"{path} is a checkpoint of version {version}; {known}: update aoienet")
    if missing:
        raise ValueError(f"{wrong}: {', '.join(missing)} missing; {advice}")
    return saved


def load_weights(net: torch.nn.Module, state: dict, path: Path) -> None:
    """The state of a checkpoint into the network it was made with, or a ValueError that says what differs."""
    own = net.state_dict()
    wrong = [f"{key} is missing" for key in own if key not in state]
    wrong += [f"{key} is unknown" for key in state if key not in own]
    shapes = [(key, tuple(state[key].shape), tuple(own[key].shape)) for key in own if key in state]
    wrong += [f"{key} is {had}, not {wants}" for key, had, wants in shapes if had != wants]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        text = f"{path} is the checkpoint of another network: {'; '.join(wrong[:3])}{more}"
        raise ValueError(f"{text}; use the aoienet that wrote it, or train again into another --out")
    net.load_state_dict(state)


def git_hash() -> str:
    """The commit of the source tree, `+changes` when it is not clean; "unknown" where the package lies in no tree that tracks it,
    as an environment inside of another project's."""
    here = Path(__file__)

    def git(*words: str) -> str:
        run = subprocess.run(["git", *words], cwd=here.parent, capture_output=True, text=True, check=True)
        return run.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def environment() -> dict:
    """Versions, machine, commit."""
    return {
        "aoienet": __version__,
        "git": git_hash(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "machine": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
        "processes": ranks.world(),
    }


def state_digest(state: dict) -> str:
    """SHA-256 of weights and buffers, names included."""
    whole = hashlib.sha256()
    for key in sorted(state):
        whole.update(key.encode() + state[key].cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()


def load_run(run: str | Path) -> tuple[torch.nn.Module, dict]:
    """The network of a run in eval mode, and {recipe, result, transform, resize_px, scan, classes, model_name, epochs_done}."""
    run = Path(run)
    checkpoint = read_checkpoint(run)
    recipe = recipe_from(checkpoint["recipe"])
    net: Any = networks.build(recipe)
    load_weights(net, checkpoint["state"], run / "checkpoint.pt")
    path = run / "result.json"
    result = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    scan = None
    if recipe.blocks.px:
        step_px = recipe.blocks.stride_px
        align_px = math.lcm(step_px, net.spec.level_stride)
        scan = {
            "block_px": recipe.blocks.px,
            "block_stride_px": step_px,
            **({"align_px": align_px} if align_px > step_px else {}),
            "total_stride": net.spec.total_stride,
            "defect": 1,
            "threshold": result.get("threshold", 0.0),
            "temperature": result.get("temperature", 1.0),
        }
    info = {
        "recipe": recipe_dict(recipe),
        "result": result,
        "transform": networks.transform(recipe),
        "resize_px": networks.resize_px(recipe),
        "scan": scan,
        "classes": list(recipe.classes),
        "model_name": recipe.model,
        "epochs_done": checkpoint["epoch"],
    }
    return net.eval(), info

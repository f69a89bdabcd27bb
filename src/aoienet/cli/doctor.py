"""aoienet doctor: what this machine can do, and whether all kernels give the same bits."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from typing import Annotated, Any

import typer

from aoienet.cli import _common
from aoienet.extras import install

PROBE = "from aoienet.cli import doctor; doctor.probe({name!r})"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("doctor")(doctor)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    """Check the CPU, the kernels, the picture readers and the bits."""
    from aoienet import weights

    document: dict[str, Any] = {
        "machine": machine(),
        "runtime": runtime(),
        "readers": readers(),
        "models": weights.names(),
        "self_test": [],
    }
    if "isas" in document["runtime"]:
        document["self_test"] = self_test(weights.names(), document["runtime"]["isas"])
    ok = (
        document["runtime"]["ok"]
        and all(r["ok"] for r in document["readers"])
        and all(t["ok"] for t in document["self_test"])
    )
    document["ok"] = bool(ok)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        _show(document)
    if not ok:
        raise typer.Exit(2)


def machine() -> dict[str, Any]:
    """System, Python and cores."""
    return {
        "system": platform.platform(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "cores": _common.default_jobs(),
    }


def runtime() -> dict[str, Any]:
    """CPU features and the kernel chosen."""
    try:
        from aoienet import engine

        found = {"isas": list(engine.isas()), "cpu_features": _plain(engine.cpu_features())}
    except Exception as error:  # the doctor reports what a user would only see as a crash
        return {"ok": False, "error": f"{type(error).__name__}: {error}", "next": install()}
    try:
        return {"ok": True, "isa": engine.active_isa(), **found}
    except RuntimeError as error:  # AOIENET_ISA
        step = f"next: unset AOIENET_ISA, or take one of {', '.join(found['isas'])}"
        return {"ok": False, "error": str(error).rstrip("."), "next": step, **found}


def readers() -> list[dict[str, Any]]:
    """A small picture written and read back by each reader."""
    import tempfile
    from pathlib import Path

    import numpy as np
    import tifffile
    from PIL import Image

    from aoienet.scan.sources import open_source

    ramp = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)
    makers = {
        "JPEG": ("a.jpg", lambda p: Image.fromarray(ramp).save(p, quality=95)),
        "PNG": ("a.png", lambda p: Image.fromarray(ramp).save(p)),
        "TIFF": ("a.tif", lambda p: tifffile.imwrite(p, ramp)),
        "TIFF tiles, deflate": ("b.tif", lambda p: tifffile.imwrite(p, ramp, tile=(32, 32), compression="zlib")),
        "TIFF tiles, LZW": ("c.tif", lambda p: tifffile.imwrite(p, ramp, tile=(32, 32), compression="lzw")),
        "TIFF tiles, JPEG": (
            "d.tif",
            lambda p: tifffile.imwrite(p, ramp, tile=(32, 32), compression="jpeg", compressionargs={"level": 95}),
        ),
    }
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (file, make) in makers.items():
            try:
                make(Path(folder) / file)
                with open_source(Path(folder) / file) as source:
                    worst = int(np.abs(source.read(0, 64).astype(int) - ramp).max())
                found.append({"reader": name, "ok": worst <= (8 if "JPEG" in name else 0)})
            except Exception as error:
                found.append({"reader": name, "ok": False, "error": f"{type(error).__name__}: {error}"})
    return found


def self_test(names: list[str], isas: list[str]) -> list[dict[str, Any]]:
    """Logits of each shipped model on a fixed picture: the same bytes from every kernel, each in a process of its
    own."""
    results = []
    for name in names:
        digests = {isa: _digest(name, isa) for isa in dict.fromkeys(["reference", *isas])}
        same = len(set(digests.values())) == 1 and "" not in digests.values()
        results.append({"model": name, "ok": same, "sha256": digests})
    return results


def probe(name: str) -> None:
    """Print the hash of a model's logits on a fixed picture (run in a process of its own by `self_test`)."""
    import numpy as np

    model = _common.open_model(name)
    entry = model.header["input"]
    size = (int(entry["height"]), int(entry["width"])) if entry.get("fixed") else (192, 256)
    channels = _common.channels_of(model)
    shape = size if channels == 1 else (*size, channels)
    pixels = np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)
    print(hashlib.sha256(np.ascontiguousarray(model.run(pixels), np.float32).tobytes()).hexdigest())


def _digest(name: str, isa: str) -> str:
    made = subprocess.run(
        [sys.executable, "-c", PROBE.format(name=name)],
        env={**os.environ, "AOIENET_ISA": isa},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return made.stdout.strip() if made.returncode == 0 else ""


def _plain(features: Any) -> Any:
    return features if isinstance(features, (dict, str)) else list(features)


def _show(document: dict[str, Any]) -> None:
    m, r = document["machine"], document["runtime"]
    print(f"machine    {m['system']}, {m['processor']}, {m['cores']} cores, Python {m['python']}")
    if r["ok"]:
        print(f"kernel     {r['isa']} (of {', '.join(r['isas'])}); force one with AOIENET_ISA=reference")
        features = r["cpu_features"]
        print(
            f"cpu        {', '.join(k for k, v in features.items() if v) if isinstance(features, dict) else features}"
        )
    else:
        print(f"kernel     none: {r['error']}; {r['next']}")
    print(
        "readers    "
        + ", ".join(f"{x['reader']} {'ok' if x['ok'] else 'FAILED ' + x.get('error', '')}" for x in document["readers"])
    )
    print(f"models     {', '.join(document['models']) if document['models'] else 'none'}")
    for t in document["self_test"]:
        print(
            f"self-test  {t['model']}: "
            + (f"same bits from {', '.join(t['sha256'])}" if t["ok"] else f"FAILED {t['sha256']}")
        )
    print("all well" if document["ok"] else "something is wrong, see above")

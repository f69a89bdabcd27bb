"""NEU-CLS: grouped and random 8:2, and few pictures per class, n draws each; networks and texture features on the same draws.

    python benchmarks/neu.py --data ../shared/data --out runs/neu
    python benchmarks/neu.py ... --protocols grouped --methods logistic aoienet --draws 3 -o epochs=20

Every draw is a stored run under OUT/protocol/method/draw-k; call it again to go on where it was stopped. A draw's seed decides the split
and the training. Networks share one stem, body, head, schedule, loss and augmentation, those of the recipe neu_best; a row changes what
it names. Accuracy: mean and standard deviation (n - 1) over draws; exact 95 % interval of all test decisions together, which takes them
as independent: draws share pictures, so it is too narrow. Last epoch, no selection, no validation part.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aoienet.data import metrics, texture
from aoienet.data.datasets import digest, neu_cls
from aoienet.train import grid, recipes, runs

FEW = {"few5": 5, "few10": 10, "few20": 20}
PROTOCOLS = {"grouped": "grouped 8:2", "random": "random 8:2 (leaks)"} | {k: f"{n} per class" for k, n in FEW.items()}
LOGISTIC = "logistic"
METHODS: dict[str, tuple[str, ...]] = {
    "aoienet": (),
    "one_level": ("net.head_levels=off",),
    "one_plane": ("net.multi=single",),
    "float": ("net.act_q=real", "net.weight_q=real", "net.multi=single"),
    "adabin": ("net.method=adabin_resnet20",),
    "ienet": ("net.method=ienet_resnet20",),
}
TITLES = {
    LOGISTIC: "54 texture features, logistic regression",
    "aoienet": "AOIE-Net, 2 binary planes (W1/A2)",
    "one_level": "the same with a head on the last map alone",
    "one_plane": "the same with 1 plane (W1/A1)",
    "float": "its float twin",
    "adabin": "AdaBin's cells (W1/A1)",
    "ienet": "IE-Net's cells (2 planes, W1/A2)",
}
# An epoch of 30 pictures is one step: few pictures get as many steps as many do.
FEW_EPOCHS = {"few5": 300, "few10": 300, "few20": 300}


@dataclass(frozen=True)
class Draw:
    protocol: str
    method: str
    seed: int

    def folder(self, out: Path) -> Path:
        return out / self.protocol / self.method / f"draw-{self.seed}"

    def words(self) -> list[str]:
        """Overrides of neu_best."""
        words = ["data.val_fraction=0", f"data.split_seed={self.seed}", f"seed={self.seed}", *METHODS[self.method]]
        if self.protocol in FEW:
            return [*words, f"data.per_class={FEW[self.protocol]}", f"epochs={FEW_EPOCHS[self.protocol]}"]
        return [*words, f"data.split={self.protocol}"]

    def split(self) -> neu_cls.Split:
        kind = "grouped" if self.protocol in FEW else self.protocol
        return neu_cls.Split(kind, self.seed, 0.0, per_class=FEW.get(self.protocol, 0))


def texture_table(data: Path, out: Path) -> np.ndarray:
    """Features of all pictures; computed once per set of pictures."""
    loaded = neu_cls.load(data)
    path = out / f"texture-{digest([loaded.images_NHW])[:16]}.npy"
    if not path.is_file():
        found = np.stack([texture.features(image) for image in loaded.images_NHW])
        out.mkdir(parents=True, exist_ok=True)
        np.save(path, found)
    return np.load(path)


def logistic(draw: Draw, data: Path, out: Path, command: str) -> dict:
    """A stored result of the texture baseline."""
    path = draw.folder(out) / "result.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    table, loaded = texture_table(data, out), neu_cls.load(data, draw.split())
    train, test = loaded.indices("train"), loaded.indices("test")
    model = texture.Logistic(table[train], loaded.labels_N[train], len(neu_cls.CLASSES))
    said = model.predict(table[test])
    result = metrics.classification_report(loaded.labels_N[test], said, neu_cls.CLASSES)
    result |= {"split": loaded.split, "data_hash": loaded.data_hash, "command": command}
    result |= {"environment": runs.environment()}
    path.parent.mkdir(parents=True, exist_ok=True)
    runs.write_json(path, result)
    return result


def carry_out(draw: Draw, args: argparse.Namespace, command: str) -> dict:
    if draw.method == LOGISTIC:
        return logistic(draw, args.data, args.out, command)
    recipe = recipes.get("neu_best", [*draw.words(), *args.override])
    return grid.run(recipe, args.data, draw.folder(args.out), command, say)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def line(protocol: str, method: str, results: list[dict]) -> dict:
    """Of all draws of one method."""
    accuracies = [100 * r["accuracy"] for r in results]
    mean, sd = grid.spread(accuracies)
    right, count = (sum(r[key] for r in results) for key in ("correct", "count"))
    low, high = metrics.clopper_pearson(right, count)
    matrix = sum(np.array(r["confusion"]) for r in results)
    return {
        "protocol": protocol,
        "method": method,
        "draws": len(results),
        "mean": mean,
        "sd": sd,
        "least": min(accuracies),
        "most": max(accuracies),
        "right": right,
        "count": count,
        "interval95": [100 * low, 100 * high],
        "epochs": results[0].get("epochs_done", 0),
        "minutes_per_draw": float(np.mean([r.get("seconds", 0.0) for r in results])) / 60,
        "errors": dict(zip(neu_cls.CLASSES, (matrix.sum(1) - matrix.diagonal()).tolist(), strict=True)),
        "accuracies": accuracies,
    }


def table(lines: list[dict], command: str) -> str:
    """Markdown."""
    head = "| protocol | method | n | mean % | sd | least to most | pooled, exact 95 % | epochs |"
    rows = [f"Command: `{command}`", "", head, "|---|---|---|---|---|---|---|---|"]
    for r in lines:
        sd = "" if np.isnan(r["sd"]) else f"{r['sd']:.2f}"
        pooled = f"{r['right']:,} of {r['count']:,}: {r['interval95'][0]:.2f} to {r['interval95'][1]:.2f}"
        cells = [PROTOCOLS[r["protocol"]], TITLES[r["method"]], str(r["draws"]), f"{r['mean']:.2f}", sd]
        cells += [f"{r['least']:.2f} to {r['most']:.2f}", pooled, str(r["epochs"]) if r["epochs"] else ""]
        rows.append("| " + " | ".join(cells) + " |")
    classes = " | ".join(neu_cls.CLASSES)
    rows += ["", f"| errors by class | | {classes} |", "|---" * (len(neu_cls.CLASSES) + 2) + "|"]
    for r in lines:
        counts = " | ".join(str(v) for v in r["errors"].values())
        rows.append(f"| {PROTOCOLS[r['protocol']]} | {TITLES[r['method']]} | {counts} |")
    return "\n".join([*rows, ""])


def study(args: argparse.Namespace, command: str) -> list[dict]:
    """Draws are the outermost loop: a table of few draws has every row."""
    found: dict[tuple[str, str], list[dict]] = {}
    lines: list[dict] = []
    for seed in range(args.draws):
        for protocol in args.protocols:
            for method in args.methods:
                draw = Draw(protocol, method, seed)
                found.setdefault((protocol, method), []).append(carry_out(draw, args, command))
                lines = [line(p, m, results) for (p, m), results in found.items()]
                args.out.mkdir(parents=True, exist_ok=True)
                runs.write_json(args.out / "table.json", {"command": command, "lines": lines})
                runs.write_atomic(args.out / "table.md", table(lines, command).encode())
    return lines


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, required=True, help="folder that holds neu_cls/")
    made.add_argument("--out", type=Path, required=True)
    made.add_argument("--protocols", nargs="+", choices=PROTOCOLS, default=list(PROTOCOLS))
    made.add_argument("--methods", nargs="+", choices=[LOGISTIC, *METHODS], default=[LOGISTIC, *METHODS])
    made.add_argument("--draws", type=int, default=10)
    made.add_argument("--threads", type=int, default=1)
    made.add_argument("-o", "--override", action="append", default=[], help="key=value of all networks' recipes")
    return made


def main() -> None:
    import torch

    args = parser().parse_args()
    if args.draws < 1 or args.threads < 1:
        parser().error(f"--draws and --threads are at least 1; received {args.draws} and {args.threads}")
    torch.set_num_threads(args.threads)
    command = "python benchmarks/neu.py " + shlex.join(sys.argv[1:])
    try:
        print(table(study(args, command), command))
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on")


if __name__ == "__main__":
    main()

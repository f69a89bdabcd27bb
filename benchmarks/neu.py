"""NEU-CLS: grouped and random 8:2, few pictures per class, one class left out, n draws each; networks and texture features on the same draws.

    python benchmarks/neu.py --data ../shared/data --out runs/neu
    python benchmarks/neu.py ... --protocols grouped --methods logistic aoienet --draws 3 -o epochs=20
    python benchmarks/neu.py ... --corruptions     (stored grouped draws on corrupted test pictures: OUT/corruptions.md, .json)

Every draw is a stored run under OUT/protocol/method/draw-k; call it again to go on where it was stopped. A draw's seed decides the split
and the training. Networks share one stem, body, head, schedule, loss and augmentation, those of the recipe neu_best; a row changes what
it names. Accuracy: mean and standard deviation (n - 1) over draws; exact 95 % interval of all test decisions together, which takes them
as independent: draws share pictures, so it is too narrow. Last epoch, no selection, no validation part.

Draw k of leave_out trains on grouped draw k without class k and is asked for the five known classes, and how far its largest probability
tells all 300 pictures of the sixth from the known test pictures: AUROC, and the share of them that passes where 95 % of the known do.

Corruptions train nothing: normal noise by its sigma in grey levels; salt and pepper by their share of the pixels, half white, half black;
a gain by its factor; rounded and clipped to 8 bits. All methods of a draw see the same corrupted pictures. The training of neu_best has
offsets of up to 16 levels, and in a tenth of the pictures noise of sigma 0.5 to 3; the texture baseline has none of it.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aoienet.data import metrics, texture, transform
from aoienet.data.datasets import digest, neu_cls
from aoienet.train import grid, recipes, runs, tasks

FEW = {"few5": 5, "few10": 10, "few20": 20}
LEFT = "leave_out"
PROTOCOLS = {
    "grouped": "grouped 8:2",
    "random": "random 8:2 (leaks)",
    **{k: f"{n} per class" for k, n in FEW.items()},
    LEFT: "one class left out",
}
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
CORRUPTIONS = (
    *(("noise", sigma) for sigma in (5, 10, 20, 40)),
    *(("salt and pepper", share) for share in (0.01, 0.05, 0.1)),
    *(("gain", factor) for factor in (0.5, 0.75, 1.25, 1.5)),
)
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
        if self.left():
            words.append(f"data.leave_out={self.left()}")
        return [*words, f"data.split={self.split().kind}"]

    def left(self) -> str:
        """The class that is left out, or ""."""
        return neu_cls.CLASSES[self.seed] if self.protocol == LEFT else ""

    def split(self) -> neu_cls.Split:
        kind = self.protocol if self.protocol == "random" else "grouped"
        return neu_cls.Split(kind, self.seed, 0.0, per_class=FEW.get(self.protocol, 0), leave_out=self.left())


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
    unknown: dict = {}
    if draw.left():
        known = loaded.labels_N[test] != draw.seed
        scores = (model.scores(table[test[rows]]) for rows in (known, ~known))
        unknown, test = {"unknown": {"class": draw.left()} | metrics.unknown(*scores)}, test[known]
    said = model.predict(table[test])
    result = metrics.classification_report(loaded.labels_N[test], said, neu_cls.CLASSES) | unknown
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


def corrupted(image_HW: np.ndarray, kind: str, level: float, rng: np.random.Generator) -> np.ndarray:
    """One picture of 8 bits with one of CORRUPTIONS."""
    if kind == "noise":
        values = image_HW + rng.normal(0, level, image_HW.shape)
    elif kind == "gain":
        values = image_HW * level
    else:
        place = rng.random(image_HW.shape)
        values = np.where(place < level / 2, 0, np.where(place < level, 255, image_HW))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def classifier(draw: Draw, data: Path, out: Path, loaded: neu_cls.NeuCls) -> Callable[[np.ndarray], np.ndarray]:
    """Pictures to classes: the network of a stored run, or the texture baseline. Raises ValueError: a run of other pictures."""
    if draw.method == LOGISTIC:
        features, train = texture_table(data, out), loaded.indices("train")
        model = texture.Logistic(features[train], loaded.labels_N[train], len(neu_cls.CLASSES))
        return lambda images_NHW: model.predict(np.stack([texture.features(image) for image in images_NHW]))
    net, info = runs.load_run(draw.folder(out))
    if info["result"].get("data_hash") != loaded.data_hash:
        raise ValueError(
            f"{draw.folder(out)} is not a finished run on these pictures and this split; next: the command without --corruptions"
        )

    def predict(images_NHW: np.ndarray) -> np.ndarray:
        x = np.stack([transform.apply(image, info["transform"]) for image in images_NHW])
        return tasks.predict(net, x[:, None]).argmax(1)

    return predict


def corruption_results(draw: Draw, args: argparse.Namespace, loaded: neu_cls.NeuCls) -> dict[str, dict]:
    """Reports of the test part, clean and with each corruption."""
    test = loaded.indices("test")
    predict, found = classifier(draw, args.data, args.out, loaded), {}
    for number, (kind, level) in enumerate((("clean", 0), *CORRUPTIONS)):
        images = loaded.images_NHW[test]
        if number:
            rngs = [np.random.default_rng([draw.seed, number, i]) for i in test]
            images = np.stack([corrupted(image, kind, level, rng) for image, rng in zip(images, rngs, strict=True)])
        report = metrics.classification_report(loaded.labels_N[test], predict(images), neu_cls.CLASSES)
        found[f"{kind} {level:g}" if number else kind] = report
        say(f"{draw.method}, draw {draw.seed}, {list(found)[-1]}: {100 * report['accuracy']:.2f} %")
    return found


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
        "unknown": [r["unknown"] for r in results if "unknown" in r],
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
    return "\n".join([*rows, *unknown_table([r for r in lines if r["unknown"]]), ""])


def unknown_table(lines: list[dict]) -> list[str]:
    """A row per class that was left out, a column per method."""
    if not lines:
        return []
    heads = " | ".join(f"{TITLES[r['method']]}: AUROC, passed at 95 %" for r in lines)
    rows = ["", f"| left out | {heads} |", "|---" * (len(lines) + 1) + "|"]
    classes = list(zip(*(r["unknown"] for r in lines), strict=False))  # of a study under way: what all methods have
    for several in classes:
        cells = [f"{u['auroc']:.3f}, {100 * u['passed_at_95']['value']:.1f} %" for u in several]
        rows.append(f"| {several[0]['class']} | " + " | ".join(cells) + " |")
    means = [f"{np.mean([u['auroc'] for u in method]):.3f}" for method in zip(*classes, strict=True)]
    return [*rows, "| mean | " + " | ".join(means) + " |"]


def study(args: argparse.Namespace, command: str) -> list[dict]:
    """Draws are the outermost loop: a table of few draws has every row."""
    found: dict[tuple[str, str], list[dict]] = {}
    lines: list[dict] = []
    for seed in range(args.draws):
        for protocol in args.protocols:
            for method in args.methods if protocol != LEFT or seed < len(neu_cls.CLASSES) else ():
                draw = Draw(protocol, method, seed)
                found.setdefault((protocol, method), []).append(carry_out(draw, args, command))
                lines = [line(p, m, results) for (p, m), results in found.items()]
                args.out.mkdir(parents=True, exist_ok=True)
                runs.write_json(args.out / "table.json", {"command": command, "lines": lines})
                runs.write_atomic(args.out / "table.md", table(lines, command).encode())
    return lines


def corruption_study(args: argparse.Namespace, command: str) -> list[dict]:
    """Lines of every method and corruption, over the draws."""
    found: dict[tuple[str, str], list[dict]] = {}
    for seed in range(args.draws):
        draws = [Draw("grouped", method, seed) for method in args.methods]
        loaded = neu_cls.load(args.data, draws[0].split())  # of all methods
        for draw in draws:
            for name, report in corruption_results(draw, args, loaded).items():
                found.setdefault((draw.method, name), []).append(report)
    lines = [{"corruption": name, **line("grouped", m, results)} for (m, name), results in found.items()]
    runs.write_json(args.out / "corruptions.json", {"command": command, "lines": lines})
    runs.write_atomic(args.out / "corruptions.md", corruption_table(lines, command).encode())
    return lines


def corruption_table(lines: list[dict], command: str) -> str:
    """Markdown: a row per corruption, a column per method."""
    mean = {(r["method"], r["corruption"]): r["mean"] for r in lines}
    sd = {(r["method"], r["corruption"]): "" if np.isnan(r["sd"]) else f" ± {r['sd']:.2f}" for r in lines}
    methods, names = (list(dict.fromkeys(r[key] for r in lines)) for key in ("method", "corruption"))
    rows = [
        f"Command: `{command}`",
        "",
        f"Mean accuracy in % over {lines[0]['draws']} grouped draws, on corruptions that no training had.",
        "",
    ]
    rows += ["| corruption | " + " | ".join(TITLES[m] for m in methods) + " |", "|---" * (len(methods) + 1) + "|"]
    for name in names:
        rows.append(f"| {name} | " + " | ".join(f"{mean[m, name]:.2f}{sd[m, name]}" for m in methods) + " |")
    over = [np.mean([mean[m, name] for name in names if name != "clean"]) for m in methods]
    return "\n".join([*rows, "| mean of the corrupted | " + " | ".join(f"{value:.2f}" for value in over) + " |", ""])


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, required=True, help="folder that holds neu_cls/")
    made.add_argument("--out", type=Path, required=True)
    made.add_argument("--protocols", nargs="+", choices=PROTOCOLS, default=[p for p in PROTOCOLS if p != LEFT])
    made.add_argument("--methods", nargs="+", choices=[LOGISTIC, *METHODS], default=[LOGISTIC, *METHODS])
    made.add_argument("--corruptions", action="store_true", help="only evaluate stored grouped draws, corrupted")
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
        if args.corruptions:
            print(corruption_table(corruption_study(args, command), command))
        else:
            print(table(study(args, command), command))
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on")


if __name__ == "__main__":
    main()

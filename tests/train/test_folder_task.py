"""The recipe `folder` from class folders to a packed model that names a picture."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

torch = pytest.importorskip("torch")

from aoienet.cli import make_app  # noqa: E402
from aoienet.data.datasets import folders  # noqa: E402
from aoienet.deploy import format  # noqa: E402
from aoienet.train import load_run, loop, recipes, runs  # noqa: E402
from aoienet.train.tasks import folders as task_file  # noqa: E402

CLASSES = ("lines down", "Linien größer", "spots")
CHANGED = ("epochs=2", "batch=14", "data.most_broken=1", "net.input_px=96")
ONE_BROKEN = folders.Options(most_broken=1)


def picture(label: int, seed: int, side: int = 64) -> np.ndarray:
    """Stripes along one of two axes, or blobs, over noise."""
    rng = np.random.default_rng([label, seed])
    y, x = np.mgrid[:side, :side]
    place = (x, y, np.hypot(x - rng.integers(side), y - rng.integers(side)))[label]
    wave = 60 * np.sin(place / rng.uniform(2, 5) + rng.uniform(0, 6))
    return np.clip(128 + wave + rng.normal(0, 8, (side, side)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    base = tmp_path_factory.mktemp("pictures")
    for label, name in enumerate(CLASSES):
        (base / name).mkdir()
        for i in range(10 if label else 20):
            Image.fromarray(picture(label, i)).save(base / name / f"{i:02d}.png")
    (base / "spots" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    return base


@pytest.fixture(scope="module")
def run(root, tmp_path_factory):
    """One real run of two epochs by the command, on pictures of a side of its own."""
    out = tmp_path_factory.mktemp("runs") / "mine"
    words = ["--data", str(root), "--out", str(out), "--threads", "1", *(f"--override={key}" for key in CHANGED)]
    answer = CliRunner().invoke(make_app(), ["train", "--recipe", "folder", *words])
    assert answer.exit_code == 0, answer.output
    return out, answer


def test_the_stored_recipe_has_the_classes_of_the_folders(run):
    stored = json.loads((run[0] / "recipe.json").read_text(encoding="utf-8"))["recipe"]
    assert stored["classes"] == sorted(CLASSES) and stored["name"] == "folder"
    net, info = load_run(run[0])
    assert info["classes"] == sorted(CLASSES) and net.num_classes == 3


def test_what_the_report_advises_is_a_field_of_the_recipe(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(12):
            Image.fromarray(picture(0, 0) if name == "a" else picture(2, i)).save(tmp_path / name / f"{i:02d}.png")
    (line,) = (t for t in folders.load(tmp_path, 0, (64, 64)).report["summary"] if "one group holds" in t)
    assert recipes.get("folder", [line.split("-o ")[1]]).data.duplicate_correlation == 0.99


def test_the_run_has_a_data_report_and_says_what_matters(run):
    out, answer = run
    report = json.loads((out / "data_report.json").read_text(encoding="utf-8"))
    assert report["counts"]["test"] == {"Linien größer": 2, "lines down": 4, "spots": 2}
    assert report["class_weights"]["spots"] == pytest.approx(4 / 3)
    assert [row["file"] for row in report["unreadable"]] == ["spots/broken.png"]
    assert report["smallest_hw"] == report["largest_hw"] == [64, 64]
    for words in ("stratified 70/10/20", "spots: 7 train, 1 val, 2 test", "1 unreadable"):
        assert words in answer.stderr


def test_the_page_warns_of_what_is_wrong_with_the_data(run):
    page = (run[0] / "report.html").read_text(encoding="utf-8")
    assert "lines down: 14 train, 2 val, 4 test, weight" in page
    assert "warning: 1 unreadable pictures left out, the first is spots/broken.png" in page


def test_the_result_is_a_report_of_the_test_part(run):
    result = json.loads((run[0] / "result.json").read_text(encoding="utf-8"))
    assert result["count"] == 8 and result["classes"] == sorted(CLASSES)
    assert {"recall", "precision_interval95"} <= result["per_class"]["spots"].keys()
    assert result["last_epoch"]["val_loss"] > 0


def test_the_packed_run_classifies_a_picture_of_the_folder(run, root, tmp_path):
    pytest.importorskip("aoienet.engine")
    call, model = CliRunner(), tmp_path / "mine.aoie"
    packed = call.invoke(make_app(), ["pack", str(run[0]), "-o", str(model)])
    assert packed.exit_code == 0, packed.output
    path = root / "lines down" / "00.png"
    answer = call.invoke(make_app(), ["classify", str(path), "--model", str(model), "--json"])
    assert answer.exit_code == 0, answer.output
    top = json.loads(answer.stdout)["inputs"][0]["top"]
    assert {row["class"] for row in top} == set(CLASSES)
    # the same pixels through the network of the run
    stored = format.read(model)[0]["input"]
    assert (stored["height"], stored["width"]) == (96, 96)
    task = task_file.open_task(recipes.get("folder", CHANGED), root)
    data = task.data
    x = task._input(data.images_NHW[[data.names.index("lines down/00.png")]])
    with torch.inference_mode():
        share = load_run(run[0])[0](torch.from_numpy(x)).softmax(1)[0]
    for row in top:
        assert row["probability"] == pytest.approx(float(share[data.classes.index(row["class"])]), abs=0.02)


def test_a_picture_that_cannot_be_read_stops_the_run_unless_it_may_be_left_out(root):
    with pytest.raises(
        ValueError, match=r"broken.png cannot be read .*data.most_broken=0 .*-o data.most_broken=1 to go on"
    ):
        task_file.open_task(recipes.get("folder"), root)
    task = task_file.open_task(recipes.get("folder", ["data.most_broken=1"]), root)
    assert len(task.data.names) == 40


def test_a_side_below_the_least_is_refused(root):
    with pytest.raises(ValueError, match="8 px or more; received net.input_px=4"):
        task_file.open_task(recipes.get("folder", ["net.input_px=4"]), root)


def make_tiny(recipe):
    layers = [torch.nn.Conv2d(recipe.in_channels, 4, 7, 8), torch.nn.BatchNorm2d(4), torch.nn.ReLU()]
    return torch.nn.Sequential(
        *layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, len(recipe.classes))
    )


def test_resume_needs_the_same_folders(root, tmp_path):
    recipe, quiet = recipes.get("folder", ["epochs=1", "data.most_broken=1"]), lambda text: None
    loop.train(recipe, root, tmp_path / "run", make_net=make_tiny, say=quiet)
    loop.train(recipe, root, tmp_path / "run", make_net=make_tiny, say=quiet, resume=True)
    more = tmp_path / "more"
    for label, name in enumerate("abc"):
        (more / name).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(picture(label, i)).save(more / name / f"{i}.png")
    before = (tmp_path / "run" / "data_report.json").read_bytes()
    with pytest.raises(ValueError, match="classes differ"):
        loop.train(recipe, more, tmp_path / "run", make_net=make_tiny, say=quiet, resume=True)
    assert (tmp_path / "run" / "data_report.json").read_bytes() == before
    assert runs.read_checkpoint(tmp_path / "run")["recipe"]["classes"] == sorted(CLASSES)


def test_rare_classes_weigh_more_and_only_when_asked(root):
    data = folders.load(root, options=ONE_BROKEN)
    even = folders.load(root, options=replace(ONE_BROKEN, class_weights=False))
    logits, rare = torch.zeros(1, 3), torch.eye(3)[[2]]
    heavy, plain = (task_file.FoldersTask(recipes.get("folder"), d).loss(logits, rare).item() for d in (data, even))
    assert heavy > plain == pytest.approx(np.log(3), rel=1e-5)


@pytest.mark.parametrize(
    ("switches", "count"), [(("off", "off"), 1), (("on", "off"), 4), (("off", "on"), 2), (("on", "on"), 8)]
)
def test_flips_and_turns_can_be_switched(switches, count):
    recipe = recipes.get("folder", [f"augment.flips={switches[0]}", f"augment.turns={switches[1]}"])
    rng, image = np.random.default_rng(0), np.arange(9, dtype=np.uint8).reshape(3, 3)
    seen = {task_file.turned(rng, image, recipe.augment.flips, recipe.augment.turns).tobytes() for _ in range(200)}
    assert len(seen) == count


def test_a_switch_is_on_or_off():
    with pytest.raises(ValueError, match="flips takes on or off, got 'maybe'"):
        recipes.get("folder", ["augment.flips=maybe"])


@pytest.mark.parametrize("word", ["model=aoienet_cifar", "in_channels=3", "input.kind=pixels", "blocks.px=64"])
def test_a_recipe_that_does_not_fit_whole_grey_pictures_is_refused(word, root):
    recipe = recipes.get("folder", [word] + (["in_channels=3"] if "cifar" in word else []))
    with pytest.raises(ValueError, match="whole square grey"):
        task_file.open_task(recipe, root)


def test_wrong_folders_end_the_command_with_one_line(tmp_path):
    answer = CliRunner().invoke(
        make_app(), ["train", "--recipe", "folder", "--data", str(tmp_path / "no"), "--out", str(tmp_path / "run")]
    )
    assert answer.exit_code == 1 and "not a folder" in answer.stderr

"""Every trick of a recipe does what its field says: schedules, two steps, teacher, averages, statistics, changes to the network."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from aoienet.models import list_models  # noqa: E402
from aoienet.nn.conv import BinaryConv2d  # noqa: E402
from aoienet.train import distill, finish, loop, networks, recipes, runs, schedule, state, tasks, watch  # noqa: E402
from aoienet.train.recipes import Augment, Data, Distill, Optim, RealWeights, Recipe  # noqa: E402


def recipe(*overrides: str, base: str = "cifar10_paper") -> Recipe:
    return recipes.get(base, overrides)


# --- schedules and optimisers


def test_rates_drop_at_their_epochs():
    r = recipe("epochs=6", "optim.lr=0.5", "optim.schedule=drops", "optim.drop_at=2,4")
    rates = [schedule.learning_rate(r, step, 10) for step in (0, 19, 20, 39, 40, 59)]
    assert rates == pytest.approx([0.5, 0.5, 0.05, 0.05, 0.005, 0.005])


def test_the_second_step_has_a_schedule_of_its_own():
    r = recipe("epochs=5", "real_weights.epochs=2", "optim.lr=1", "optim.schedule=linear", "optim.warmup_epochs=0.5")
    rates = [schedule.learning_rate(r, step, 4) for step in range(20)]
    assert rates[:2] == rates[8:10] == [0.5, 1.0]  # both warm up
    assert rates[7] == pytest.approx(1 / 6) and rates[8] == 0.5  # the first one is nearly at its end
    assert rates[19] == pytest.approx(1 / 10)


def test_sgd_has_momentum_and_adamw_is_the_default():
    net = networks.build(recipe("model=resnet20"))
    phase = schedule.phases(recipe())[0]
    sgd = schedule.make_optimiser(net, recipe("optim.kind=sgd"), phase)
    assert isinstance(sgd, torch.optim.SGD) and {g["momentum"] for g in sgd.param_groups} == {0.9}
    assert isinstance(schedule.make_optimiser(net, recipe(), phase), torch.optim.AdamW)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["optim.drop_at=3"], "belongs to optim.schedule=drops"),
        (["optim.schedule=drops"], "belongs to optim.schedule=drops"),
        (["real_weights.epochs=300"], "real_weights.epochs must be less than epochs"),
        (["finish.ema=0.9"], "needs finish.bn_batches"),
        (["finish.ema=1.5", "finish.bn_batches=1"], "finish.ema must lie in 0..1"),
        (["optim.kind=lion"], "unknown optim.kind 'lion'"),
        (["distill.temperature=0"], "distill.temperature must be positive"),
        (["optim.lr=inf"], "optim.lr must be a number of 0 or more, got inf"),
        (["net.pad=inf"], "net.pad must be a finite number, got inf"),
        (["net.spread=nan"], "net.spread must be a finite number, got nan"),
        (["data.limit=-5"], "data.limit must be a number of 0 or more, got -5"),
        (["seed=-1"], "seed must be a number of 0 or more, got -1"),
        (["seed=4294967296"], "seed must be less than 2.32, got 4294967296"),
        (["augment.scale_least=0"], "augment.scale_least must be positive"),
        (["augment.scale_least=2"], "augment.scale_least is at most augment.scale_most; got 2.0 and 1.0"),
        (["label_smoothing=1.5"], "label_smoothing must lie in 0..1"),
        (["data.val_fraction=2"], "data.val_fraction must lie in 0..1"),
    ],
)
def test_contradictions_are_refused_in_words(overrides, words):
    with pytest.raises(ValueError, match=words):
        recipe(*overrides)


@pytest.mark.parametrize(
    ("name", "override", "said"),
    [
        ("neu_best", "in_channels=3", "neu_cls trains a network that takes 1 channels .* received in_channels=3"),
        ("neu_best", "model=aoienet_scan", "answers for pictures; .*aoienet_scan, which answers for blocks"),
        ("folder", "model=aoienet_scan", "folders trains .*aoienet_scan, which answers for blocks"),
        ("cifar10_paper", "model=aoienet_scan", "aoienet_scan, which answers for blocks"),
        ("cifar10_paper", "in_channels=1", "cifar10 trains a network that takes 3 channels"),
        ("segment", "model=aoienet_scan", "answers for pixels; received aoienet_scan; known: .*light"),
        ("blocks", "model=aoienet_compact", "answers for blocks; .*aoienet_compact, which answers for pictures"),
    ],
)
def test_a_network_of_another_kind_is_refused_before_the_data_are_read(name, override, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        tasks.open_task(recipes.get(name, [override]), tmp_path)


# --- two steps


def run_of(r: Recipe, net: nn.Module) -> state.Run:
    return state.Run(r, None, net, schedule.make_optimiser(net, r, schedule.phases(r)[0]), None, net)


def test_the_first_step_uses_real_weights_and_the_second_begins_anew():
    r = recipe("model=aoienet_cifar_aba_io", "epochs=4", "real_weights.epochs=2", "real_weights.weight_decay=0.25")
    run = run_of(r, networks.build(r).eval())
    x = torch.randint(0, 256, (2, 3, 32, 32)).float()
    convs = [m for m in run.net.modules() if isinstance(m, BinaryConv2d)]
    state.begin_epoch(run)
    assert all(conv.real for conv in convs) and run.optimiser.param_groups[0]["weight_decay"] == 0.25
    real, first = run.net(x), run.optimiser
    run.history = [{}, {}]
    state.begin_epoch(run)
    assert not any(conv.real for conv in convs)
    assert run.optimiser is not first and run.optimiser.param_groups[0]["weight_decay"] == r.optim.weight_decay == 0
    assert not torch.equal(run.net(x), real)


def test_annealing_runs_over_each_step():
    r = recipe("model=aoienet_cifar_aba_io", "epochs=6", "real_weights.epochs=3")
    run, seen = run_of(r, networks.build(r)), []
    for _ in range(6):
        state.tell_progress(run)
        seen.append(next(m for m in run.net.modules() if isinstance(m, BinaryConv2d)).weight_q.progress)
        run.history.append({})
    assert seen == [0, 0.5, 1, 0, 0.5, 1]


# --- teacher


@pytest.fixture
def teacher_run(tmp_path):
    """A float ResNet-20 on centred pixels, with some statistics."""
    r = recipe(base="cifar10_float")
    torch.manual_seed(0)
    net = networks.build(r)
    net(torch.randint(-128, 128, (4, 3, 32, 32)).float())
    document = {"recipe": recipes.recipe_dict(r), "state": net.state_dict(), "epoch": 1}
    runs.save_checkpoint(tmp_path, document | {"random": runs.random_states()})
    runs.write_json(tmp_path / "result.json", {"accuracy": 0.1})
    return tmp_path, net.eval()


def test_the_loss_is_the_formula_and_the_teacher_sees_its_own_pixels_in_evaluation_mode(teacher_run):
    folder, net = teacher_run
    r = recipe(f"distill.teacher={folder}", "distill.weight=0.75", "distill.temperature=3")
    teacher = distill.open_teacher(r)
    x, logits = torch.randint(0, 256, (4, 3, 32, 32)).float(), torch.randn(4, 10)
    before = runs.state_digest(teacher.net.state_dict())
    loss = teacher.joined(x, logits, torch.tensor(2.0))
    p = (net(x - 128) / 3).softmax(1)
    kl = (p * (p.log() - F.log_softmax(logits / 3, 1))).sum(1).mean()
    assert loss.item() == pytest.approx((0.75 * 9 * kl + 0.25 * 2).item(), rel=1e-5)
    assert before == teacher.digest == runs.state_digest(teacher.net.state_dict())


def test_the_teacher_computes_in_the_arithmetic_of_the_recipe(teacher_run):
    teacher = distill.open_teacher(recipe(f"distill.teacher={teacher_run[0]}", "bf16=on"))
    kinds = []
    teacher.net.linear.register_forward_hook(lambda module, args, output: kinds.append(output.dtype))
    logits = torch.randn(2, 10)
    loss = teacher.joined(torch.randint(0, 256, (2, 3, 32, 32)).float(), logits, torch.tensor(2.0))
    assert kinds == [torch.bfloat16] and loss.dtype == torch.float32


def test_a_student_that_says_the_same_has_nothing_to_learn_from_its_teacher(teacher_run):
    folder, net = teacher_run
    teacher = distill.open_teacher(recipe(f"distill.teacher={folder}", "distill.weight=1"))
    x = torch.randint(0, 256, (4, 3, 32, 32)).float()
    assert teacher.joined(x, net(x - 128).detach(), torch.tensor(9.0)).item() == pytest.approx(0, abs=1e-5)


def test_teachers_that_do_not_fit_are_refused(teacher_run):
    folder, _ = teacher_run
    with pytest.raises(ValueError, match="the student's are"):
        distill.open_teacher(recipe(f"distill.teacher={folder}", base="neu_best"))
    r = dataclasses.replace(recipe(f"distill.teacher={folder}"), input=recipes.Input(window_px=65))
    with pytest.raises(ValueError, match="train it with the same"):
        distill.open_teacher(r)
    (folder / "result.json").unlink()
    with pytest.raises(ValueError, match="is not finished"):
        distill.open_teacher(recipe(f"distill.teacher={folder}"))
    with pytest.raises(FileNotFoundError, match="not a run folder"):
        distill.open_teacher(recipe(f"distill.teacher={folder / 'none'}"))
    assert distill.open_teacher(recipe()) is None


# --- the end of a training


def test_averages_leave_latent_weights_alone_and_follow_the_rule():
    net = networks.build(recipe("model=aoienet_cifar_aba_io"))
    average = finish.Average(net, 0.5)
    start = net.linear.bias.detach().clone()
    latent = finish.latent_names(net)
    assert len(latent) == 19 and not latent & set(average.values)
    before = {name: p.detach().clone() for name, p in net.named_parameters() if name in latent}
    for _ in range(3):
        with torch.no_grad():
            for p in net.parameters():
                p += 1
        average.update(net)
    value = start.clone()
    for n in range(3):
        kept = min(0.5, (1 + n) / (10 + n))
        value = kept * value + (1 - kept) * (start + n + 1)
    average.put_into(net)
    torch.testing.assert_close(net.linear.bias.detach(), value)
    now = dict(net.named_parameters())
    assert all(torch.allclose(now[name], p + 3) for name, p in before.items())


def test_statistics_are_counted_anew_over_the_batches():
    net = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.9))
    net(torch.full((2, 3, 4, 4), 100.0))
    batches = torch.randn(5, 8, 3, 4, 4)
    finish.reestimate(net, iter(batches), net)
    torch.testing.assert_close(net[0].running_mean, batches.mean((0, 1, 3, 4)))
    torch.testing.assert_close(net[0].running_var, torch.stack([b.var((0, 2, 3)) for b in batches]).mean(0))
    assert net[0].momentum == 0.1 and not net[0].training


# --- the network


CHANGES = [
    "net.stem=conv",
    "net.act=dprelu",
    "net.scale=se",
    "net.head_batchnorm=on",
    "net.head_levels=on",
    "net.spread=0.25",
    "net.pad=1",
    "net.surrogate=clip:1.5",
    "net.multi=collapsed",
    "net.weight_q=recu",
    "net.shift=off",
    "net.shortcut=avgpool_pad",
    "net.method=adabin_resnet20",
]


@pytest.mark.parametrize("change", CHANGES)
def test_changes_reach_the_network(change):
    plain, changed = networks.spec(recipe()), networks.spec(recipe(change))
    assert plain != changed and changed == networks.spec(recipe(change))
    x = torch.randint(0, 256, (2, 3, 32, 32)).float()
    torch.manual_seed(0)
    assert torch.isfinite(networks.build(recipe(change))(x)).all()


def test_a_head_for_blocks_has_no_levels():
    with pytest.raises(ValueError, match="over whole pictures"):
        networks.spec(recipe("model=aoienet_scan", "net.head_levels=on"))


def test_units_with_cells_of_their_own_are_changed_too():
    pan = networks.spec(recipe("model=aoienet_cifar_pan", "net.pad=1"))
    assert {unit.cell.pad for unit in pan.body} == {1.0} and {unit.cell.act for unit in pan.body} == {"prelu", "none"}


def test_a_method_brings_its_cell_and_keeps_the_frame():
    there, here = (
        networks.spec(recipe("net.method=ienet_resnet20", base="neu_best")),
        networks.spec(recipe(base="neu_best")),
    )
    assert (there.cell.multi, there.cell.act) == ("dual_bias", "hardtanh")
    assert (there.stem, there.body, there.head) == (here.stem, here.body, here.head)


def test_what_a_network_cannot_have_is_refused():
    with pytest.raises(ValueError, match="net.stem is thermometer or conv, got 'patch'"):
        networks.spec(recipe("net.stem=patch"))
    with pytest.raises(ValueError, match="built as it is; received net.act"):
        networks.build(recipe("net.act=maxout", base="segment"))
    with pytest.raises(ValueError, match="unknown nn.activation part 'dpre'"):
        networks.build(recipe("net.act=dpre"))
    with pytest.raises(ValueError, match="did you mean"):
        networks.spec(recipe("model=aoienet_cifr"))


def test_every_recipe_builds_its_network_and_states_its_input():
    for name in recipes.names():
        r = recipes.get(name)
        assert sum(p.numel() for p in networks.build(r).parameters()) > 1000
        assert networks.transform(r)["kind"] in ("raw", "center", "standardize", "pixels")
    assert "resnet56" in list_models() and networks.transform(recipe("net.stem=conv")) == {"kind": "center"}


def test_fields_that_a_data_set_does_not_read_are_refused():
    r = dataclasses.replace(recipe(), augment=Augment(cutmix=0.5), data=Data("cifar10", per_class=5))
    with pytest.raises(ValueError, match="cifar10 reads no data.per_class, augment.cutmix .*leave it at 0.0"):
        tasks.open_task(r, None)
    with pytest.raises(ValueError, match="unknown data.set 'cifar11'; did you mean 'cifar10'"):
        tasks.open_task(dataclasses.replace(r, data=Data("cifar11")), None)


def test_smoothed_labels_and_class_weights_are_fields_like_others():
    r = recipe("label_smoothing=0.1", "class_weights=on", base="segment")
    with pytest.raises(ValueError, match="segment reads no label_smoothing, class_weights"):
        tasks.open_task(r, None)
    with pytest.raises(ValueError, match="input.kind=pixels; got 'standardize'"):
        tasks.open_task(recipe("input.kind=standardize"), None)


@pytest.mark.parametrize("device", ["kuda", "meta:7x"] if torch.cuda.is_available() else ["cuda", "kuda"])
def test_a_device_that_is_not_there_is_refused_in_words(device, tmp_path):
    with pytest.raises(ValueError, match=f"device={device} cannot be used by PyTorch here .*-o device=cpu"):
        loop.train(recipe(f"device={device}"), tmp_path, tmp_path / "run")
    assert not (tmp_path / "run").exists()


# --- what is watched


def test_flipped_signs_are_counted():
    net = networks.build(recipe("model=aoienet_cifar"))
    before = watch.weight_bits(net)
    assert watch.metrics(net, before)["weight_flips"] == 0
    conv = net.units[3].layers[0].conv
    with torch.no_grad():
        conv.weight.neg_()
    row = watch.metrics(net, before)
    total = sum(c.weight.numel() for c in watch.binary_convs(net).values())
    bits, _, _ = conv.weight_q.binary_set(conv.weight)
    assert row["weight_flips"] == pytest.approx(conv.weight.numel() / total, abs=2 / total)
    assert row["layers"]["units.3.layers.0.conv"]["alpha"] == pytest.approx(
        conv.weight.std((1, 2, 3)).mean().item(), rel=0.01
    )
    assert row["layers"]["units.0.layers.0.planes.act.1"] == {"alpha": 1.0, "beta": 0.0}
    assert row["plane_distance"] == pytest.approx(
        np.mean([d["plane_distance"] for d in row["layers"].values() if len(d) == 1])
    )


def test_a_float_network_has_no_signs_to_watch():
    net = networks.build(recipe(base="cifar10_float"))
    assert watch.metrics(net, watch.weight_bits(net)) == {}


def test_groups_of_a_recipe_are_frozen():
    for group in (Distill(), Optim(), RealWeights()):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(group, dataclasses.fields(group)[0].name, 1)

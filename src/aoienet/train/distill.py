"""Knowledge distillation: a finished run tells the student its class probabilities."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from aoienet.train import networks, runs
from aoienet.train.recipes import Recipe, recipe_from

CENTER = 128.0  # "center" is "raw" less this (docs/format.md, Input)


class Teacher:
    """A network in evaluation mode, whose batch norms see no batch of the student's; in the arithmetic of the student's recipe.

    offset    from the student's pixels to the teacher's
    digest    SHA-256 of its weights: a resumed run must have the same teacher
    """

    def __init__(self, net: torch.nn.Module, offset: float, digest: str, recipe: Recipe) -> None:
        self.net = net.eval().requires_grad_(False)
        self.offset, self.digest, self.recipe = offset, digest, recipe

    def joined(self, x_NCHW: torch.Tensor, logits: torch.Tensor, loss: torch.Tensor) -> torch.Tensor:
        """weight T^2 KL(teacher || student) + (1 - weight) loss; KL is a mean over the batch and over positions."""
        weight, temperature = self.recipe.distill.weight, self.recipe.distill.temperature
        with torch.no_grad():
            told = networks.logits(self.recipe, x_NCHW + self.offset, self.net) / temperature
        said = F.log_softmax(logits / temperature, 1).movedim(1, -1)
        true = F.log_softmax(told, 1).movedim(1, -1)
        apart = F.kl_div(said.flatten(0, -2), true.flatten(0, -2), reduction="batchmean", log_target=True)
        return weight * temperature**2 * apart + (1 - weight) * loss


def open_teacher(recipe: Recipe) -> Teacher | None:
    """The recipe's teacher on its device; None without one. Raises ValueError: other classes, another input, one logit."""
    if not recipe.distill.teacher:
        return None
    where = f"distill.teacher={recipe.distill.teacher}"
    try:
        net, info = runs.load_run(recipe.distill.teacher)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{where}: {error}") from None
    theirs = recipe_from(info["recipe"])
    if not info["result"]:
        raise ValueError(f"{where} is not finished: train it to the end with --resume")
    if tuple(info["classes"]) != recipe.classes:
        raise ValueError(
            f"{where} has the classes {info['classes']}; the student's are {list(recipe.classes)}; next: train the teacher on the same classes"
        )
    if recipe.pixels.crop_px:
        raise ValueError(
            f"{where}: a network that answers for pixels has one logit, and no class probabilities to tell"
        )
    moved = offset_between(networks.transform(recipe), networks.transform(theirs), where)
    return Teacher(net.to(recipe.device), moved, runs.state_digest(net.state_dict()), recipe)


def offset_between(own: dict, theirs: dict, where: str) -> float:
    """What the student's input lacks to be the teacher's."""
    if own == theirs:
        return 0.0
    kinds = (own["kind"], theirs["kind"])
    if kinds not in (("raw", "center"), ("center", "raw")):
        raise ValueError(
            f"{where} sees its pictures as {theirs}; the student's transform is {own}: train it with the same"
        )
    return -CENTER if kinds[1] == "center" else CENTER

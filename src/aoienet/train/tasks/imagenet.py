"""ImageNet-style photographs: random-resized crop, flip, lighting; validated on the centre; top-1 and top-5."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from aoienet.data import metrics, photos, pipeline, transform
from aoienet.data.datasets import imagenet
from aoienet.data.stores import Store
from aoienet.train import networks, ranks
from aoienet.train.recipes import Recipe
from aoienet.train.tasks import Batch, check_network

READS = (
    *("data.train", "data.val", "data.most_broken", "input.kind", "net.input_px"),
    *("augment.flips", "augment.area_least", "augment.lighting", "label_smoothing"),
)
VAL_BATCH = 64
MOST_CLASSES_SHOWN = 50  # a confusion matrix of more cells than that nobody looks at


def open_task(recipe: Recipe, root: Path) -> ImageNetTask:
    """Open both parts. Raises ValueError: a recipe that is not one of square color pictures."""
    height, width = networks.spec(recipe).input_hw
    if recipe.in_channels != 3 or recipe.input.kind != "pixels" or height != width:
        raise ValueError(
            "photographs train a network of square color pictures, as pixels; received "
            f"in_channels={recipe.in_channels}, input.kind={recipe.input.kind!r}, {width}x{height} px of {recipe.model}."
        )
    check_network(recipe, 3)
    data = imagenet.load(root, 0, recipe.data.train, recipe.data.val, recipe.data.most_broken > 0)
    return ImageNetTask(recipe, data, height)


class BrokenPictureError(ValueError):
    """A picture that cannot be decoded, where none may be left out."""


class ImageNetTask:
    """Every batch is decoded while the last ones are learned from; a process decodes its own share alone.

    shares   batches are this process's part of the joint batch
    broken   name -> reason, of pictures and shards that were left out; the checkpoint keeps it
    """

    shares = True

    def __init__(self, recipe: Recipe, data: imagenet.ImageNet, side_px: int) -> None:
        self.recipe, self.data, self.side_px = replace(recipe, classes=data.classes), data, side_px
        self.split, self.data_hash = data.split, data.data_hash
        self.transform = networks.transform(self.recipe)
        self.dtype = np.uint8 if self.transform["kind"] == "raw" else np.int8
        self.broken: dict[str, str] = {**data.train.broken, **data.val.broken}
        self._lock = threading.Lock()
        self.count = {part: len(store) for part, store in self._stores().items()}
        if recipe.data.limit:
            self.count = {part: min(recipe.data.limit, n) for part, n in self.count.items()}
            self.split += f"; limited to {recipe.data.limit} per part"
        if self.count["train"] < recipe.batch:
            raise ValueError(
                f"the training part holds a batch or more; {self.count['train']} pictures, batch={recipe.batch}; next: -o batch=N"
            )

    def _stores(self) -> dict[str, Store]:
        return {"train": self.data.train, "val": self.data.val}

    # --- pictures -----------------------------------------------------------------------------------------------------

    def _picture(self, part: str, view: Callable[[int, bytes], np.ndarray], i: int) -> np.ndarray | None:
        """As the network sees it, or None and a record. Raises BrokenPictureError: one more than may be left out."""
        store = self._stores()[part]
        try:
            return transform.apply(view(i, store.read(i)), self.transform)
        except Exception as error:  # Pillow raises many kinds on a broken file
            self._leave_out(store, i, f"{type(error).__name__}: {error}", error)
            return None

    def _leave_out(self, store: Store, i: int, reason: str, error: Exception) -> None:
        name, most = f"{store.where.name}/{store.names[i]}", self.recipe.data.most_broken
        with self._lock:
            self.broken[name] = reason
            count = len(self.broken)
        if count > most:
            raise BrokenPictureError(
                f"{store.where / store.names[i]} cannot be decoded ({reason}), and data.most_broken={most} may be left out; "
                f"next: remove the picture, or -o data.most_broken={2 * count} to go on without such pictures"
            ) from error

    def _train_view(self, epoch: int, i: int, content: bytes) -> np.ndarray:
        augment, rng = self.recipe.augment, np.random.default_rng([self.recipe.seed, epoch, i])
        area = (augment.area_least, 1.0)
        return photos.random_view(rng, content, self.side_px, area, augment.flips, augment.lighting)

    def _still_view(self, i: int, content: bytes) -> np.ndarray:
        return photos.centre_view(content, (self.side_px, self.side_px), photos.resize_px(self.side_px))

    def _batches(self, part: str, view: Callable[[int, bytes], np.ndarray], plan: list[np.ndarray]) -> Iterator[Batch]:
        """Memory of a process, at most: 4 of its batches in 8 bits and, in each thread, a decoded picture and its copy."""
        threads, size = self.recipe.data.workers, max((len(p) for p in plan), default=1)
        shape = (self.side_px, self.side_px, 3)
        make = partial(self._picture, part, view)
        for images_NHWC, index in pipeline.batches(make, plan, shape, self.dtype, threads, max(size, 2 * threads)):
            if not len(index):
                raise ValueError(f"all {size} pictures of a batch are broken, the last is {list(self.broken)[-1]}")
            yield images_NHWC.transpose(0, 3, 1, 2), self._stores()[part].label_N[index]

    # --- training -----------------------------------------------------------------------------------------------------

    def _chosen(self, part: str) -> np.ndarray | None:
        """The numbers that `limit` leaves, spread over the classes as they are; None: all."""
        store = self._stores()[part]
        return None if self.count[part] == len(store) else np.sort(store.order(0, 0)[: self.count[part]])

    def _plan(self, epoch: int) -> list[np.ndarray]:
        """This process's part of every whole joint batch; what is left over has its turn in another epoch."""
        order, chosen, size = self.data.train.order(self.recipe.seed, epoch), self._chosen("train"), self.recipe.batch
        order = order if chosen is None else order[np.isin(order, chosen)]
        return [order[i : i + size][ranks.share(size)] for i in range(0, len(order) - size + 1, size)]

    def epoch_stream(self, epoch: int, done: int) -> tuple[int, Iterator[Batch]]:
        """The number of steps, and the batches after the first `done`."""
        plan = self._plan(epoch)
        return len(plan), self._batches("train", partial(self._train_view, epoch), plan[done:])

    def still_stream(self, count: int) -> Iterator[Batch]:
        """So many batches of training pictures as validation sees them."""
        return self._batches("train", self._still_view, self._plan(self.recipe.epochs)[:count])

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)

    def correct(self, logits: torch.Tensor, labels: torch.Tensor) -> tuple[int, int]:
        return int((logits.argmax(1) == labels).sum()), len(labels)

    # --- validation ---------------------------------------------------------------------------------------------------

    def _scores(self, net: torch.nn.Module) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """(labels, predicted classes, label among the first five, mean loss) of all processes' shares."""
        chosen = self._chosen("val")
        index = np.arange(self.count["val"]) if chosen is None else chosen
        index = index[ranks.share(len(index))]
        plan = [index[i : i + VAL_BATCH] for i in range(0, len(index), VAL_BATCH)]
        device, parts, loss = next(net.parameters()).device, [], 0.0
        was_training = net.training
        net.eval()
        with torch.inference_mode():
            for x, labels in self._batches("val", self._still_view, plan):
                x_NCHW = torch.from_numpy(x).to(device).float().contiguous(memory_format=torch.channels_last)
                with torch.autocast(device.type, torch.bfloat16, enabled=self.recipe.bf16):
                    logits = net(x_NCHW).float().cpu()
                truth = torch.from_numpy(labels)
                loss += F.cross_entropy(logits, truth, reduction="sum").item()
                first = logits.topk(min(5, logits.shape[1]), 1).indices
                parts.append(np.stack([labels, first[:, 0].numpy(), (first == truth[:, None]).any(1).numpy()]))
        net.train(was_training)
        own = np.concatenate(parts, axis=1) if parts else np.zeros((3, 0), np.int64)
        table = np.concatenate(ranks.gather(own), axis=1)
        self._share_records()
        return table[0], table[1], table[2].astype(bool), ranks.total([loss])[0] / max(1, table.shape[1])

    def _share_records(self) -> None:
        for other in ranks.gather(self.broken):
            self.broken |= other

    def validate(self, net: torch.nn.Module) -> dict:
        labels, predicted, among, loss = self._scores(net)
        row = {"val_accuracy": float((labels == predicted).mean()), "val_top5": float(among.mean()), "val_loss": loss}
        return row | ({"broken": len(self.broken)} if self.broken else {})

    def result(self, net: torch.nn.Module) -> dict:
        """Of the validation part after the last epoch: nothing was chosen by it."""
        labels, predicted, among, loss = self._scores(net)
        out = metrics.classification_report(labels, predicted, self.recipe.classes)
        if len(self.recipe.classes) > MOST_CLASSES_SHOWN:
            del out["confusion"]
        out |= {"top5": metrics.share(int(among.sum()), len(among)), "loss": loss, "part": "validation"}
        return out | {"broken": dict(sorted(self.broken.items()))}

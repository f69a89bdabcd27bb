"""Recipes of runs that were stored before the fields had groups (checkpoint versions 1 and 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GROUPS = {
    "data": ("split", "split_seed", "val_fraction", "test_fraction", "duplicate_correlation", "limit", "workers"),
    "input": ("window_px", "eps_levels", "scale"),
    "optim": ("lr", "lr_last", "schedule", "warmup_epochs", "weight_decay", "clip_norm"),
    "augment": ("flips", "turns", "scale_least", "scale_most", "gain_spread", "cutmix"),
    "blocks": (
        *("crack_weight", "weak_weight", "brick_per_epoch", "drone_per_epoch", "photo_per_epoch"),
        *("masked_repeats", "keep_recall"),
    ),
}
RENAMED = {
    "dataset": ("data", "set"),
    "input": ("input", "kind"),
    "optimiser": ("optim", "kind"),
    "block_px": ("blocks", "px"),
    "block_stride_px": ("blocks", "stride_px"),
}
PLACES = RENAMED | {key: (group, key) for group, keys in GROUPS.items() for key in keys}
DROPPED = ("loss",)  # each data set had one loss


def is_flat(document: Mapping[str, Any]) -> bool:
    """Whether a stored recipe is of the old form."""
    return "dataset" in document


def nested(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same recipe with its fields in groups; what the old form does not say has today's defaults but for warm-up and decay."""
    out: dict[str, Any] = {
        "optim": {"lr": 2e-3, "warmup_epochs": 1.0, "weight_decay": 1e-2},
        "data": {"split": "grouped"},
    }
    for key, value in document.items():
        if key in PLACES:
            group, name = PLACES[key]
            out.setdefault(group, {})[name] = value
        elif key not in DROPPED:
            out[key] = value
    return out

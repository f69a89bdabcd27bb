"""Which blocks look unlike the pictures that a scanning network was trained on, by a few statistics of their texture.

A block is taken with what a decision sees around it. The network standardises by local contrast, so brightness and
contrast do not count; the statistics are what is left:

contrast_k    ln of (D(k) + 2 f) / (2 (variance + f)), k = 1, 4, 8 px: how soon grey levels forget each other
direction_k   ln of (D(k) along x + 2 f) / (D(k) along y + 2 f), k = 1, 8 px

with D(k) of aoienet.sums. f (FLOOR) is the variance of noise that is taken as added, so that a bare wall, in which there
is nothing to see, looks like fine grain and not like nothing known. Unfamiliar is a block whose squared Mahalanobis
distance from the training blocks is beyond a quantile of that of validation blocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aoienet.sums import Sum

FEATURES = ("contrast_1", "contrast_4", "contrast_8", "direction_1", "direction_8")
TURNED = np.array([1, 1, 1, -1, -1])  # what the transposed picture would have
AROUND_PX = 64  # what a decision of the shipped networks sees around its block
QUANTILE = 0.995
FLOOR = 1.0  # squared grey levels
RIDGE = 1e-6  # added to the covariance, whose inverse would not exist for equal blocks
DECIMALS = 6  # of the numbers in a model file
NEXT = "write them anew: aoienet certify MODEL --data FOLDER -o FILE"


class FamiliarError(ValueError):
    """Statistics of training pictures that cannot be used."""


def features(sums: np.ndarray) -> np.ndarray:
    """float64 [..., len(Sum)] -> [..., len(FEATURES)]."""

    def mean(column: Sum, count: Sum) -> np.ndarray:
        return np.asarray(sums[..., column] / np.maximum(sums[..., count], 1))

    variance = np.maximum(mean(Sum.SQUARE, Sum.PIXELS) - mean(Sum.LEVEL, Sum.PIXELS) ** 2, 0)
    along_x = [mean(column, Sum.PAIRS_X) + 2 * FLOOR for column in (Sum.X1, Sum.X4, Sum.X8)]
    along_y = [mean(column, Sum.PAIRS_Y) + 2 * FLOOR for column in (Sum.Y1, Sum.Y4, Sum.Y8)]
    contrast = [(x + y) / (4 * (variance + FLOOR)) for x, y in zip(along_x, along_y, strict=True)]
    direction = [along_x[k] / along_y[k] for k in (0, 2)]
    return np.log(np.stack([*contrast, *direction], axis=-1))


@dataclass(frozen=True)
class Familiar:
    """Mean and inverse covariance of the features of training blocks, the largest squared distance that is familiar, and
    how far around a block its statistics reach."""

    around_px: int
    mean: tuple[float, ...]
    inverse_covariance: tuple[tuple[float, ...], ...]
    limit: float

    def distance(self, sums: np.ndarray) -> np.ndarray:
        """Squared Mahalanobis distance, float64 [...], of blocks with sums [..., len(Sum)]."""
        away = np.moveaxis(features(sums) - np.array(self.mean), -1, 0)
        total = np.zeros(away.shape[1:])
        # term by term: a matrix product may round by the number of blocks, and results must not depend on cuts
        for i, row in enumerate(self.inverse_covariance):
            for j, weight in enumerate(row):
                total += weight * (away[i] * away[j])
        return total

    def unlike(self, sums: np.ndarray) -> np.ndarray:
        """True where a block is unfamiliar."""
        return np.asarray(self.distance(sums) > self.limit)

    @classmethod
    def from_meta(cls, entry: Any, cell_px: int, halo_px: int) -> Familiar:
        """The statistics of a model file's meta.familiar (docs/format.md).

        Raises   FamiliarError: not the features of this version, or numbers that say nothing.
        """
        names, around = (entry.get(k) if isinstance(entry, dict) else None for k in ("features", "around_px"))
        if names != list(FEATURES):
            raise FamiliarError(f"meta.familiar.features must be {', '.join(FEATURES)}; received {names}: {NEXT}")
        if type(around) is not int or around < 0 or around % cell_px or around > halo_px:
            raise FamiliarError(
                f"meta.familiar.around_px must be a multiple of {cell_px} px and at most halo_px={halo_px}; received {around}: {NEXT}"
            )
        try:
            mean, inverse = (np.array(entry[k], np.float64) for k in ("mean", "inverse_covariance"))
            limit = float(entry["limit"])
            good = mean.shape == (len(FEATURES),) and inverse.shape == (len(FEATURES),) * 2 and limit > 0
            good = good and bool(np.isfinite(mean).all() and np.isfinite(limit) and (inverse == inverse.T).all())
            good = good and bool((np.linalg.eigvalsh(inverse) > 0).all())
        except (KeyError, TypeError, ValueError, np.linalg.LinAlgError):
            good = False
        if not good:
            raise FamiliarError(
                f"meta.familiar must hold {len(FEATURES)} finite means, a symmetric positive definite inverse covariance and a limit above "
                f"0; received {entry}: {NEXT}"
            )
        return cls(around, tuple(mean.tolist()), tuple(map(tuple, inverse.tolist())), limit)


def fit(training: Iterable[np.ndarray], validation: Iterable[np.ndarray], around_px: int) -> dict[str, Any]:
    """meta.familiar of a model file, from the sums [..., len(Sum)] of each picture's blocks.

    Every picture counts as itself and transposed: networks are trained with turns, and surfaces lie in any direction.
    Raises   FamiliarError: no blocks.
    """
    train, held = ([s.reshape(-1, len(Sum)) for s in part] for part in (training, validation))
    blocks = sum(map(len, train)), sum(map(len, held))
    if not all(blocks):
        raise FamiliarError(f"statistics need training and validation blocks; received {blocks[0]} and {blocks[1]}")
    upright = features(np.concatenate(train))
    seen = np.concatenate([upright, upright * TURNED])
    covariance = np.cov(seen.T) + RIDGE * np.eye(len(FEATURES))
    inverse = np.linalg.inv(covariance)
    mean, inverse = _rounded(seen.mean(axis=0)), _rounded((inverse + inverse.T) / 2)
    known = Familiar(around_px, tuple(mean.tolist()), tuple(map(tuple, inverse.tolist())), np.inf)
    return {
        "features": list(FEATURES),
        "around_px": around_px,
        "mean": mean.tolist(),
        "inverse_covariance": inverse.tolist(),
        "limit": float(_rounded(np.quantile(known.distance(np.concatenate(held)), QUANTILE))),
        "quantile": QUANTILE,
        "training": {"pictures": len(train), "blocks": blocks[0]},
        "validation": {"pictures": len(held), "blocks": blocks[1]},
    }


def _rounded(values: np.ndarray | np.floating) -> np.ndarray:
    return np.asarray(np.round(values, DECIMALS) + 0.0)  # no negative zero

"""What a network must beat: 54 hand-made texture features and multinomial logistic regression. Needs scikit-image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import kurtosis, skew

PERCENTILES = (5, 25, 50, 75, 95)
ORIENTATIONS = 8
LBP_RADII = (1, 3)
LBP_POINTS = 8
GREY_LEVELS = 32
DISTANCES_PX = (1, 4)
PROPERTIES = ("contrast", "homogeneity", "energy", "correlation")
SIGMAS_PX = (1.0, 2.0, 4.0, 8.0, 16.0)
FEATURES = 54


def levels(image_HW: np.ndarray) -> list[float]:
    """Mean, standard deviation, skewness, kurtosis and percentiles of the grey levels."""
    values = image_HW.astype(np.float64).ravel()
    shape = (float(skew(values)), float(kurtosis(values))) if values.std() > 0 else (0.0, 0.0)
    return [values.mean(), values.std(), *shape, *np.percentile(values, PERCENTILES)]


def gradients(image_HW: np.ndarray) -> list[float]:
    """Mean and standard deviation of the gradient's length, and its share by direction."""
    rows, columns = np.gradient(image_HW.astype(np.float64))
    length, angle = np.hypot(rows, columns), np.arctan2(rows, columns) % np.pi
    bins = np.minimum((angle / np.pi * ORIENTATIONS).astype(int), ORIENTATIONS - 1)
    shares = np.bincount(bins.ravel(), length.ravel(), ORIENTATIONS)
    return [length.mean(), length.std(), *(shares / max(shares.sum(), 1e-12))]


def binary_patterns(image_HW: np.ndarray) -> list[float]:
    """Histograms of uniform local binary patterns (Ojala 2002)."""
    from skimage.feature import local_binary_pattern

    out: list[float] = []
    for radius in LBP_RADII:
        codes = local_binary_pattern(image_HW, LBP_POINTS, radius, "uniform").astype(int)
        out += list(np.bincount(codes.ravel(), minlength=LBP_POINTS + 2) / codes.size)
    return out


def cooccurrence(image_HW: np.ndarray) -> list[float]:
    """Haralick's properties, meaned over four directions, and how much more contrast lies across than along the rows."""
    from skimage.feature import graycomatrix, graycoprops

    angles = np.arange(4) * np.pi / 4
    coarse = (image_HW // (256 // GREY_LEVELS)).astype(np.uint8)
    matrix = graycomatrix(coarse, DISTANCES_PX, angles, GREY_LEVELS, symmetric=True, normed=True)
    out = [float(v) for name in PROPERTIES for v in graycoprops(matrix, name).mean(axis=1)]
    contrast = graycoprops(matrix, "contrast") + 1e-3
    return out + [float(v) for v in np.log(contrast[:, 2] / contrast[:, 0])]


def bands(image_HW: np.ndarray) -> list[float]:
    """Logarithm of what each octave holds: standard deviation of differences of Gaussians."""
    image = image_HW.astype(np.float64)
    smooth = [image, *(gaussian_filter(image, sigma) for sigma in SIGMAS_PX)]
    return [float(np.log((a - b).std() + 1e-3)) for a, b in zip(smooth, smooth[1:], strict=False)]


def features(image_HW: np.ndarray) -> np.ndarray:
    """float64 [54] of an 8-bit grey picture."""
    parts = (levels, gradients, binary_patterns, cooccurrence, bands)
    return np.array([value for part in parts for value in part(image_HW)])


class Logistic:
    """Multinomial logistic regression on standardised features: sum of cross-entropies + |W|^2 / (2 C), by L-BFGS."""

    def __init__(
        self, features_NF: np.ndarray, labels_N: Sequence[int] | np.ndarray, classes: int, c: float = 1.0
    ) -> None:
        labels = np.asarray(labels_N)
        self.mean, self.std = features_NF.mean(0), features_NF.std(0) + 1e-12
        x, truth = self._design(features_NF), np.eye(classes)[labels]
        shape = (x.shape[1], classes)

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            weight = flat.reshape(shape)
            logits = x @ weight
            total = logsumexp(logits, axis=1)
            penalty = np.vstack([weight[:-1], np.zeros((1, classes))])  # the bias, last, is free
            value = float((total - (logits * truth).sum(1)).sum() + (penalty**2).sum() / (2 * c))
            return value, (x.T @ (np.exp(logits - total[:, None]) - truth) + penalty / c).ravel()

        found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 2000})
        self.weight = found.x.reshape(shape)

    def _design(self, features_NF: np.ndarray) -> np.ndarray:
        x = (features_NF - self.mean) / self.std
        return np.hstack([x, np.ones((len(x), 1))])

    def scores(self, features_NF: np.ndarray) -> np.ndarray:
        """Logits of each row."""
        return np.asarray(self._design(features_NF) @ self.weight)

    def predict(self, features_NF: np.ndarray) -> np.ndarray:
        """The most probable class of each row."""
        return np.asarray(self.scores(features_NF).argmax(1))

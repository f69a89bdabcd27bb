"""Drawn cracks of known geometry for the tests."""

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

SUB = 4


def cover(size_hw: tuple[int, int], lines: list[np.ndarray], widths: list[float]) -> np.ndarray:
    """Share of each pixel that lies nearer than half a width to a polyline [N, 2] (x, y), float [H, W]."""
    out = np.zeros(size_hw)
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    offset = (np.arange(SUB) + 0.5) / SUB - 0.5
    for line, width in zip(lines, widths, strict=True):
        tree = cKDTree(dense(line))
        near = np.isfinite(tree.query(np.stack([x, y], -1).reshape(-1, 2), distance_upper_bound=width / 2 + 1.5)[0])
        near = near.reshape(size_hw)
        hits = np.zeros(int(near.sum()))
        for dx in offset:
            for dy in offset:
                away = tree.query(np.stack([x[near] + dx, y[near] + dy], 1))[0]
                hits += np.clip((width / 2 - away) * SUB + 0.5, 0, 1)  # the part of the small square that is covered
        out[near] = np.maximum(out[near], hits / SUB**2)
    return out


def dense(line: np.ndarray) -> np.ndarray:
    """Points 0.1 px apart along a polyline."""
    at = np.append(0, np.cumsum(np.hypot(*np.diff(line, axis=0).T)))
    s = np.linspace(0, at[-1], int(at[-1] / 0.1) + 2)
    return np.stack([np.interp(s, at, line[:, k]) for k in (0, 1)], axis=1)


def straight(angle_deg: float, length: float, middle: tuple[float, float]) -> np.ndarray:
    """A line; the angle grows from x towards -y, as seen."""
    a = np.deg2rad(angle_deg)
    half = length / 2 * np.array([np.cos(a), -np.sin(a)])
    return np.array([np.array(middle) - half, np.array(middle) + half])


def photograph(
    covered: np.ndarray, blur: float = 0.8, noise: float = 3.0, depth: float = 80, seed: int = 0
) -> np.ndarray:
    """uint8 [H, W]: a dark crack on a background that grows lighter to the right."""
    rng = np.random.default_rng(seed)
    light = 150 + np.linspace(0, 20, covered.shape[1])
    grey = light - depth * gaussian_filter(covered, blur) + rng.normal(0, noise, covered.shape)
    return np.clip(np.round(grey), 0, 255).astype(np.uint8)

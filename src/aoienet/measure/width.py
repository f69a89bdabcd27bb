"""Width of a crack from the grey values across it, with an uncertainty for each place.

Model of the profile at distance t from the centre line (a dark slit of width w on a sloping background, blurred):

    f(t) = b0 + b1 t - d [Phi((t - c + w/2) / s) - Phi((t - c - w/2) / s)]

For w well over s, f crosses half-way between background and crack at its edges: the half-way threshold (Cho, Yoon, Kim
2018, Sensors 18, 2644). Under about 3 px only the darkness d w and the second moment s^2 + w^2/12 can be seen: w needs
a known blur. Without it the width is also fitted with the least blur that a camera has: no slit that fits is wider.
Uncertainties are of the fit: s_res^2 (J^T J)^-1. What is not known of the blur is the same along a crack and does not
average out, so each place also says how its width follows the blur; statistics.py pools the blur over the crack.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy import ndimage
from scipy.special import ndtr

STEP_PX = 0.5  # between samples of a profile
ALONG_PX = (-2.0, -1.0, 0.0, 1.0, 2.0)  # profiles averaged along the crack
REACH_WIDTHS, MARGIN_PX = 1.5, 7.0  # of a profile: half widths of the mask, and background on either side
BATCH = 512
ITERATIONS = 24
ROUGHLY, SETTLED = 5e-2, 5e-3  # px of place and width, and of log sigma: a step below this is the last of either half
PIXEL_VARIANCE = 1 / 12  # a pixel is the mean over its square
ANY_BLUR = (0.9, 0.5)  # sigma in px and standard deviation of its logarithm where nothing is known: 0.34 to 2.4 px
KNOWN_BLUR = 0.03  # standard deviation of the logarithm of a blur that the user gives
LEAST_BLUR_PX = 0.35  # sigma of a picture that is as sharp as pixels allow
TELLABLE_PX = 3.0  # narrower ones need a known blur
MASK_U_PX = 1.0  # a width taken from the mask alone: half a pixel at each edge by a segmenter
LEAST_MASK_PX = 1.0  # a place of the mask is a pixel wide, also where a smooth centre line passes beside a stair of it
LEAST_SAMPLES = 14  # of a profile; the model has six parameters
LEAST_CONTRAST = 2.0  # depth of the slit over the noise of one averaged profile

BOUNDED_PX = 8.0  # up to this fitted width the bound is computed too
TABLE_END, TABLE_STEPS = 8, 1024  # Phi from -8 to 8 in steps of 1/1024: between them a line is right to 3e-8
TABLE = ndtr(np.arange(-TABLE_END * TABLE_STEPS, TABLE_END * TABLE_STEPS + 2) / TABLE_STEPS)
RISES = np.diff(TABLE)


@dataclass(frozen=True)
class Places:
    """What is measured at N places. grey False: the grey values say nothing, width is that of the mask."""

    grey: np.ndarray  # [N] bool
    width: np.ndarray  # [N] px
    u: np.ndarray  # [N] standard uncertainty by noise, the blur taken as fitted
    shift: np.ndarray  # [N] of the centre along the normal
    blur: np.ndarray  # [N] fitted sigma, the pixel included
    slope: np.ndarray  # [N] d width / d log sigma
    told: np.ndarray  # [N] what the profile says about log sigma: 1 / variance, the prior left out
    bound: np.ndarray  # [N] largest width that fits; NaN where the blur is known or does not matter


def prior_of(blur_px: float | None) -> tuple[float, float]:
    """Sigma of blur and pixel together, and the standard deviation of its logarithm."""
    return ANY_BLUR if blur_px is None else (float(np.hypot(blur_px, np.sqrt(PIXEL_VARIANCE))), KNOWN_BLUR)


@dataclass(frozen=True)
class Profiles:
    """Grey values across the crack. values, weights [N, T]; t_px [T]; mask_px [N]: width of the mask across."""

    t_px: np.ndarray
    values: np.ndarray
    weights: np.ndarray
    mask_px: np.ndarray
    mask_shift_px: np.ndarray


def widths(
    image: np.ndarray | None,
    mask: np.ndarray,
    centre: np.ndarray,
    normal: np.ndarray,
    radius: np.ndarray,
    blur_px: float | None,
) -> Places:
    """Width at N places.

    Args     image: grey values [H, W] or None; mask: bool [H, W]; centre, normal: [N, 2] (x, y) in px;
             radius: half width by the mask [N]; blur_px: sigma of the optics, None: unknown.
    """
    n = len(centre)
    out = {f.name: np.zeros(n, bool if f.name == "grey" else np.float64) for f in fields(Places)}
    smooth_image = None if image is None else ndimage.spline_filter(image.astype(np.float64), order=3, mode="mirror")
    order = np.argsort(radius, kind="stable")
    for start in range(0, n, BATCH):
        part = order[start : start + BATCH]
        found = _one_batch(_profiles(smooth_image, mask, centre[part], normal[part], radius[part]), image, blur_px)
        for name, whole in out.items():
            whole[part] = getattr(found, name)
    return Places(**out)


def _profiles(
    image: np.ndarray | None, mask: np.ndarray, centre: np.ndarray, normal: np.ndarray, radius: np.ndarray
) -> Profiles:
    reach = REACH_WIDTHS * radius + MARGIN_PX
    half = int(np.ceil(reach.max() / STEP_PX))
    t = np.arange(-half, half + 1) * STEP_PX
    across = centre[:, None, :] + t[None, :, None] * normal[:, None, :]
    inside = (
        ndimage.map_coordinates(mask.astype(np.float32), [across[..., 1], across[..., 0]], order=1) if len(t) else t
    )
    own, weights = _own_run(inside, half)
    weights &= np.abs(t)[None, :] <= reach[:, None]
    height, width = mask.shape
    weights &= (
        (across[..., 0] >= 0) & (across[..., 0] <= width - 1) & (across[..., 1] >= 0) & (across[..., 1] <= height - 1)
    )
    covered = (inside * own).sum(axis=1)
    mask_px = covered * STEP_PX
    shift = (inside * own * t).sum(axis=1) / np.maximum(covered, 1e-9)
    if image is None:
        return Profiles(t, np.zeros_like(inside), weights.astype(float), mask_px, shift)
    along = np.stack([normal[:, 1], -normal[:, 0]], axis=1)
    total = np.zeros(inside.shape)
    for step in ALONG_PX:
        at = across + step * along[:, None, :]
        total += ndimage.map_coordinates(image, [at[..., 1], at[..., 0]], order=3, mode="mirror", prefilter=False)
    return Profiles(t, total / len(ALONG_PX), weights.astype(float), mask_px, shift)


def _own_run(inside: np.ndarray, half: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples of the crack at the middle, and samples up to the next crack (bool [N, T] each)."""
    crack = inside >= 0.5
    own, free = np.zeros_like(crack), np.zeros_like(crack)
    for side in (slice(half, None), slice(half, None, -1)):
        line = crack[:, side]
        left = np.logical_or.accumulate(~line, axis=1)  # the crack has been left
        own[:, side] |= ~left | (inside[:, side] > 0) & ~np.logical_or.accumulate(inside[:, side] <= 0, axis=1)
        free[:, side] |= ~np.logical_or.accumulate(left & line, axis=1)
    return own, free


def _one_batch(p: Profiles, image: np.ndarray | None, blur_px: float | None) -> Places:
    n = len(p.mask_px)
    unknown = np.full(n, np.nan)
    places = Places(
        grey=np.zeros(n, bool),
        width=np.maximum(p.mask_px, LEAST_MASK_PX),
        u=np.full(n, MASK_U_PX),
        shift=p.mask_shift_px.copy(),
        blur=np.zeros(n),
        slope=np.zeros(n),
        told=np.zeros(n),
        bound=unknown,
    )
    if image is None or not n:
        return places
    x, u, slope, told, good = fit(p, *prior_of(blur_px))
    bound = unknown
    narrow = good & (x[:, 4] < BOUNDED_PX)
    if blur_px is None and narrow.any():
        some = Profiles(p.t_px, *(a[narrow] for a in (p.values, p.weights, p.mask_px, p.mask_shift_px)))
        least, *_, kept = fit(some, *prior_of(LEAST_BLUR_PX), start=x[narrow])
        bound[narrow] = np.where(kept, np.maximum(least[:, 4], x[narrow, 4]), x[narrow, 4])
    return Places(
        grey=good,
        width=np.where(good, x[:, 4], places.width),
        u=np.where(good, u, MASK_U_PX),
        shift=np.where(good, x[:, 3], places.shift),
        blur=np.where(good, np.exp(x[:, 5]), 0),
        slope=np.where(good, slope, 0),
        told=np.where(good, told, 0),
        bound=bound,
    )


def fit(
    p: Profiles, blur: float, spread: float, start: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Parameters [N, 6] (b0, b1, d, c, w, log s); of w the standard uncertainty at that s, and d w / d log s; what the
    profile tells of log s (1 / variance); and which fits can be trusted; [N] each.

    Levenberg-Marquardt on all profiles at once, log s drawn to log(blur) with the standard deviation `spread`, and
    Huber weights in the second half, against grains and stains. start: parameters of an earlier fit with another blur,
    which spare the first half.
    """
    t, y = p.t_px, p.values
    x = _first_half(p, blur, spread) if start is None else start.copy()
    robust = _descend(x, t, y, p.weights, None, blur, spread)
    slit = _slit(x, t)
    residual = y - slit.model
    noise = np.sqrt((robust * residual**2).sum(1) / np.maximum(robust.sum(1) - 6, 1))
    noise = np.maximum(noise, 0.05)
    normal, _ = _normal_equations(x, t, slit, residual, robust, noise * np.sqrt(1 / STEP_PX), blur, spread)
    ridge = 1e-9 * np.einsum("nii->ni", normal)[:, :5] + 1e-6
    inverse = np.linalg.inv(normal[:, :5, :5] + np.eye(5) * ridge[:, None, :])
    u = np.sqrt(np.maximum(inverse[:, 4, 4], 0))
    follow = -(inverse @ normal[:, :5, 5:])[..., 0]  # of the other parameters when log s is moved
    told = np.maximum(normal[:, 5, 5] - 1 / spread**2 + (normal[:, 5, :5] * follow).sum(1), 0)
    room = p.mask_px / 2 + 2
    good = (x[:, 2] > LEAST_CONTRAST * noise) & (np.abs(x[:, 3] - p.mask_shift_px) <= room)
    good &= p.weights.sum(1) >= LEAST_SAMPLES
    good &= (x[:, 4] <= 2 * p.mask_px + 6) & (u <= 0.5 * x[:, 4] + 0.5) & np.isfinite(x).all(1)
    return x, u, follow[:, 4], told, good


def _first_half(p: Profiles, blur: float, spread: float) -> np.ndarray:
    """Parameters from the mask and the levels inside and outside of it, drawn near to the best fit."""
    t, y = p.t_px, p.values
    outer = p.weights * (np.abs(t)[None, :] > p.mask_px[:, None] / 2 + 1.5)
    inner = p.weights * (np.abs(t - p.mask_shift_px[:, None]) <= np.maximum(p.mask_px[:, None] / 4, STEP_PX))
    b0 = (y * outer).sum(1) / np.maximum(outer.sum(1), 1)
    depth = b0 - (y * inner).sum(1) / np.maximum(inner.sum(1), 1)
    x = np.stack(
        [b0, 0 * b0, depth, p.mask_shift_px, np.maximum(p.mask_px, 0.7), np.full_like(b0, np.log(blur))], axis=1
    )
    noise = np.maximum(_scale(y - _slit(x, t).model, p.weights), 0.3)
    _descend(x, t, y, p.weights, noise, blur, spread)
    return x


def _descend(
    x: np.ndarray,
    t: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray,
    noise: np.ndarray | None,
    blur: float,
    spread: float,
) -> np.ndarray:
    """Half of the iterations, x changed in place; gives the weights. noise None: Huber weights, by the noise of each step.

    A profile whose place, width and blur do not move any more is left alone. The slit is computed once per trial and kept
    for the next step: it is what costs.
    """
    used, damp = weights.copy(), np.full(len(x), 1e-2)
    moving = np.arange(len(x))
    now, values, own, slit = x.copy(), y, weights, _slit(x, t)
    scale = np.ones(len(x)) if noise is None else noise
    settled = ROUGHLY if noise is not None else SETTLED
    for _ in range(ITERATIONS // 2):
        residual = values - slit.model
        if noise is None:
            size = np.abs(residual)
            scale = np.maximum(_scale(size, weights[moving]), 0.05)
            own = weights[moving] * np.minimum(1, 2 * scale[:, None] / np.maximum(size, 1e-9))
            used[moving] = own
        cost = _cost(now, residual, own, scale, blur, spread)
        normal, slope = _normal_equations(now, t, slit, residual, own, scale, blur, spread)
        diagonal = np.einsum("nii->ni", normal)
        diagonal += damp[moving, None] * diagonal + 1e-6
        trial = _limited(now + _solve(normal, slope), t)
        other = _slit(trial, t)
        better = _cost(trial, values - other.model, own, scale, blur, spread) <= cost
        still = better & (np.abs(trial - now)[:, 3:] < settled).all(axis=1)
        now[better] = trial[better]
        x[moving] = now
        damp[moving] = np.clip(np.where(better, damp[moving] / 4, damp[moving] * 6), 1e-7, 1e6)
        slit.take(other, better)
        if still.any():
            go = ~still
            moving, now, values, slit = moving[go], now[go], values[go], slit.only(go)
            own, scale = own[go], scale[go]
        if not len(moving):
            break
    return used


@dataclass
class _Slit:
    """The model at the samples [N, T]: distances from the two edges in sigmas, Phi(a) - Phi(b), and f."""

    a: np.ndarray
    b: np.ndarray
    step: np.ndarray
    model: np.ndarray

    def take(self, other: _Slit, which: np.ndarray) -> None:
        for name, value in vars(self).items():
            value[which] = getattr(other, name)[which]

    def only(self, which: np.ndarray) -> _Slit:
        return _Slit(*(value[which] for value in vars(self).values()))


def _slit(x: np.ndarray, t: np.ndarray) -> _Slit:
    s = np.exp(-x[:, 5])
    a = t * s[:, None] + ((x[:, 4] / 2 - x[:, 3]) * s)[:, None]
    b = a - (x[:, 4] * s)[:, None]
    step = _phi(a)
    step -= _phi(b)
    return _Slit(a, b, step, x[:, 0, None] + x[:, 1, None] * t - x[:, 2, None] * step)


def _phi(z: np.ndarray) -> np.ndarray:
    """The normal distribution function from the table: five times as fast as the exact one."""
    at = np.clip((z + TABLE_END) * TABLE_STEPS, 0, 2 * TABLE_END * TABLE_STEPS)
    index = at.astype(np.int32)
    at -= index
    at *= RISES[index]
    at += TABLE[index]
    return at


def _normal_equations(x, t, slit, residual, weights, noise, blur, spread) -> tuple[np.ndarray, np.ndarray]:
    """J^T W J [N, 6, 6] and J^T W (y - f) [N, 6], the prior of log s included."""
    pa, pb = _density(slit.a), _density(slit.b)
    rise = x[:, 2] / np.exp(x[:, 5])
    jacobian = np.empty((len(x), 6, len(t)))
    jacobian[:, 0], jacobian[:, 1], jacobian[:, 2] = 1, t, -slit.step
    jacobian[:, 3] = rise[:, None] * (pa - pb)
    jacobian[:, 4] = (-rise / 2)[:, None] * (pa + pb)
    jacobian[:, 5] = x[:, 2, None] * (slit.a * pa - slit.b * pb)
    weighted = jacobian * (weights / noise[:, None] ** 2)[:, None, :]
    normal = weighted @ jacobian.transpose(0, 2, 1)
    slope = (weighted @ residual[..., None])[..., 0]
    normal[:, 5, 5] += 1 / spread**2
    slope[:, 5] += (np.log(blur) - x[:, 5]) / spread**2
    return normal, slope


def _density(z: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * z * z) * (1 / np.sqrt(2 * np.pi))


def _cost(x, residual, weights, noise, blur, spread) -> np.ndarray:
    fit_part = np.einsum("nt,nt,nt->n", weights, residual, residual) / noise**2
    return fit_part + ((x[:, 5] - np.log(blur)) / spread) ** 2


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solutions [N, K] of symmetric positive systems [N, K, K], by elimination on all of them at once: a call of LAPACK
    per system takes longer than its arithmetic."""
    rows = np.concatenate([matrix, right[..., None]], axis=2).transpose(1, 2, 0).copy()
    size = len(rows)
    for k in range(size):
        rows[k + 1 :, k + 1 :] -= (rows[k + 1 :, k] / rows[k, k])[:, None] * rows[k, k + 1 :]
    out = rows[:, size]
    for k in range(size - 1, -1, -1):
        out[k] = (out[k] - (rows[k, k + 1 : size] * out[k + 1 :]).sum(axis=0)) / rows[k, k]
    return out.T


def _limited(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    low = np.array([-np.inf, -np.inf, -np.inf, t[0], 0.05, np.log(0.2)])
    high = np.array([np.inf, np.inf, np.inf, t[-1], 2 * t[-1], np.log(12.0)])
    return np.clip(x if np.isfinite(x).all() else np.nan_to_num(x), low, high)


def _scale(residual: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Standard deviation by the median of the absolute values; 1.4826 where there is none."""
    used = weights > 0
    count = used.sum(axis=1)
    ordered = np.sort(np.where(used, np.abs(residual), np.inf), axis=1)
    row = np.arange(len(ordered))
    middle = (
        ordered[row, np.maximum(count - 1, 0) // 2] + ordered[row, np.minimum(count // 2, ordered.shape[1] - 1)]
    ) / 2
    return 1.4826 * np.where(count > 0, middle, 1.0)

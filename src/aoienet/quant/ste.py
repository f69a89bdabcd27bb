"""The sign and its surrogate gradients: the backward rule only, as a function of u = (x - centre) / half-distance.

Each surrogate maps (u, progress) to dq/du >= 0; `progress` in [0, 1] is the share of the training that is done, for the
annealed ones. A number after a colon is the half-width of the window: "clip:1.3".
A slope returns a new tensor: the backward pass multiplies it in place.
Sources: clip: BNN (Hubara 2016) eq. 4; clip_open: XNOR-Net's and FracBNN's code; approx: Bi-Real Net (Liu 2018), also ReCU and
SiMaN; ede: IR-Net (Qin 2020) eq. 11; tri_rbnn: RBNN (Lin 2020) eq. 21; tri_ienet: IE-Net; identity: DoReFa (Zhou 2016);
si_bnn: SI-BNN (Wang 2020).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

SI_BNN_RHO = 0.3  # share of the window below the threshold, of a re-implementation


def sign(x: Tensor) -> Tensor:
    """Sign with sign(0) = +1 (docs/notation.md); torch.sign has a third value at 0."""
    return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)


@dataclass(frozen=True)
class Shape:
    """A slope as numbers, also for what computes it elsewhere (quant/normed.py): (height - fall |u|)+ where low <= u <= high, in
    an open window, whose ends are -high and high, without them. Annealed: height (1 - tanh^2(fall u))."""

    height: float
    fall: float = 0.0
    low: float = -math.inf
    high: float = math.inf
    open: bool = False
    annealed: bool = False

    def widened(self, width: float) -> "Shape":
        """The shape at u / width."""
        return replace(self, fall=self.fall / width, low=self.low * width, high=self.high * width)

    def slope(self, u: Tensor) -> Tensor:
        """At u, any shape."""
        if self.annealed:
            return torch.tanh(self.fall * u).square_().neg_().add_(1).mul_(self.height)
        ramp = u.abs().mul_(-self.fall).add_(self.height).clamp_(min=0) if self.fall else None
        if math.isinf(self.high):
            return torch.full_like(u, self.height) if ramp is None else ramp
        # 0.0 and 1.0 written in place: a Boolean map costs as much as ten products
        inside = u.abs().lt_(self.high) if self.open else u.clamp(self.low, self.high).eq_(u)
        return inside.mul_(self.height) if ramp is None else ramp.mul_(inside)


@dataclass(frozen=True)
class Slope:
    """A surrogate: its shape for a progress, and what its window is widened by."""

    shape: Callable[[float], Shape]
    width: float = 1.0

    def at(self, progress: float) -> Shape:
        """The slope of that progress."""
        return self.shape(progress).widened(self.width)

    def __call__(self, u: Tensor, progress: float = 0.0) -> Tensor:
        return self.at(progress).slope(u)


@Slope
def approx(progress: float) -> Shape:
    """Bi-Real Net's piecewise quadratic: 2 - 2|u| inside of |u| < 1."""
    return Shape(2.0, 2.0)


@Slope
def clip(progress: float) -> Shape:
    """Hard tanh: 1 inside of |u| <= 1 (AOIE-Net eq. 7, with the indicator on (a - beta) / alpha)."""
    return Shape(1.0, low=-1.0, high=1.0)


@Slope
def clip_open(progress: float) -> Shape:
    """1 inside of |u| < 1, 0 on the edges: what a saturated hard tanh gives out gets no gradient."""
    return Shape(1.0, low=-1.0, high=1.0, open=True)


@Slope
def si_bnn(progress: float) -> Shape:
    """2 inside of -0.3 <= u <= 1: the ramp of a {0, 1} step, for the codes {-1, +1}."""
    return Shape(2.0, low=-SI_BNN_RHO, high=1.0)


@Slope
def identity(progress: float) -> Shape:
    """Straight through."""
    return Shape(1.0)


def annealed(progress: float, first: float, last: float = 10.0) -> tuple[float, float]:
    """(k, t): t runs from `first` to `last` in the logarithm, k = max(1 / t, 1)."""
    if not 0.0 <= progress <= 1.0:
        raise ValueError(f"progress must lie in [0, 1]; received {progress}.")
    start, end = math.log10(first), math.log10(last)
    t = 10.0 ** (start + (end - start) * progress)
    return max(1.0 / t, 1.0), t


def ede_constants(progress: float) -> tuple[float, float]:
    """(k, t) of IR-Net's error decay estimator: t from 1e-3 to 10."""
    return annealed(progress, 1e-3)


@Slope
def ede(progress: float) -> Shape:
    """k t (1 - tanh^2(t u))."""
    k, t = ede_constants(progress)
    return Shape(k * t, t, annealed=True)


@Slope
def tri_rbnn(progress: float) -> Shape:
    """k (sqrt(2) t - t^2 |u|)+ with t from 1e-2 to 10: weights."""
    k, t = annealed(progress, 1e-2)
    return Shape(k * math.sqrt(2.0) * t, k * t * t)


@Slope
def tri_rbnn_act(progress: float) -> Shape:
    """The same with k = 1 and t at least 1: activations."""
    t = max(annealed(progress, 1e-2)[1], 1.0)
    return Shape(math.sqrt(2.0) * t, t * t)


@Slope
def tri_ienet(progress: float) -> Shape:
    """k (sqrt(3) t - 1.5 t^2 |u|)+ with t from 1e-2 to 10: weights."""
    k, t = annealed(progress, 1e-2)
    return Shape(k * math.sqrt(3.0) * t, k * 1.5 * t * t)


@Slope
def tri_ienet_act(progress: float) -> Shape:
    """The same with k = 1 and t at least 1: activations."""
    t = max(annealed(progress, 1e-2)[1], 1.0)
    return Shape(math.sqrt(3.0) * t, 1.5 * t * t)


SURROGATES: dict[str, Slope] = {
    s.shape.__name__: s
    for s in (approx, clip, clip_open, si_bnn, identity, ede, tri_rbnn, tri_rbnn_act, tri_ienet, tri_ienet_act)
}


def surrogate(text: str) -> Slope:
    """The slope of that name; "clip:1.3" widens the window. Raises ValueError with the known names."""
    name, _, number = text.partition(":")
    if name not in SURROGATES:
        raise ValueError(f"unknown surrogate '{text}'; known: {', '.join(SURROGATES)}, each also as name:half_width")
    slope = SURROGATES[name]
    if not number:
        return slope
    try:
        width = float(number)
    except ValueError:
        raise ValueError(f"the half-width of a surrogate is a number, as in clip:1.3; received '{text}'.") from None
    if not width > 0:
        raise ValueError(f"the half-width of a surrogate is above 0; received '{text}'.")
    return replace(slope, width=width)


class SurrogateSign(torch.autograd.Function):
    """sign(u) forward; the surrogate's slope backward."""

    @staticmethod
    def forward(ctx, u: Tensor, slope: Slope, progress: float) -> Tensor:
        ctx.save_for_backward(u)
        ctx.slope, ctx.progress = slope, progress
        return sign(u)

    @staticmethod
    def backward(ctx, *grads: Tensor):
        (u,) = ctx.saved_tensors
        return ctx.slope(u, ctx.progress).mul_(grads[0]), None, None


def surrogate_sign(u: Tensor, slope: Slope, progress: float) -> Tensor:
    """SurrogateSign where gradients flow; plain operations, which an ONNX export can trace, where not."""
    return SurrogateSign.apply(u, slope, progress) if torch.is_grad_enabled() else sign(u)

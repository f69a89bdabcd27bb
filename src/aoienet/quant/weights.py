"""Weight quantizers as five steps: centre, normalise, transform, sign, scale (design note B0).

    v = w - c_o;  n = v / d_o;  n = transform(n);  b = sign(n);  w_b = s_o b [+ c_o]

A file of `quant/weight/` states which of the known steps it takes and writes only what no other method has.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from aoienet.parts import nearest
from aoienet.quant.ste import surrogate, surrogate_sign

VARIANCE_EPS = 1e-8
PER_OUTPUT = (1, 2, 3)


def _mean_o(w: Tensor) -> Tensor:
    return w.mean(dim=PER_OUTPUT, keepdim=True)


def _one_o(v: Tensor) -> Tensor:
    return torch.ones_like(v[:, :1, :1, :1])


def _std_o(v: Tensor, eps: float) -> Tensor:
    return (v.square().mean(dim=PER_OUTPUT, keepdim=True) + eps).sqrt()


def _std_unbiased_o(v: Tensor, eps: float) -> Tensor:
    n = v[0].numel()
    return (v.square().sum(dim=PER_OUTPUT, keepdim=True) / max(n - 1, 1) + eps).sqrt()


CENTERS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda w: torch.zeros_like(w[:, :1, :1, :1]),
    "mean_o": _mean_o,
}
# of (v, eps under the root)
NORMS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "none": lambda v, eps: _one_o(v),
    "std_o": _std_o,
    "std_unbiased_o": _std_unbiased_o,
}
# of (n before the sign, d of the second step) -> [O,1,1,1]
SCALES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "one": lambda n, d: _one_o(n),
    "norm": lambda n, d: d,
    "mean_abs_o": lambda n, d: _mean_o(n.abs()),
    "mean_abs_layer": lambda n, d: n.abs().mean().expand(len(n), 1, 1, 1),
    "pow2_o": lambda n, d: torch.exp2(torch.round(torch.log2(_mean_o(n.abs())))),
}
SCALE_GRADS = ("full", "detached", "none")


class ForwardScale(torch.autograd.Function):
    """scale * b forward; the gradient passes unscaled."""

    @staticmethod
    def forward(ctx, b: Tensor, scale: Tensor) -> Tensor:
        return scale * b

    @staticmethod
    def backward(ctx, *grads: Tensor):
        return grads[0], None


class WeightQuantizer(nn.Module):
    """Base of `quant/weight/`. Built as kind(shape of w_OIHW).

    scale_grad   "full"; "detached": the scale is a constant; "none": a constant that does not multiply the gradient either
    eps          added to the variance
    progress     share of the training that is done, set by the loop
    """

    name: str
    center: str = "none"
    keep_center: bool = False
    norm: str = "none"
    scale: str = "one"
    scale_grad: str = "full"
    surrogate: str = "clip"
    eps: float = VARIANCE_EPS

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        steps = ((self.center, CENTERS), (self.norm, NORMS), (self.scale, SCALES), (self.scale_grad, SCALE_GRADS))
        for word, known in steps:
            if word not in known:
                raise ValueError(
                    f"unknown step '{word}' of '{self.name}'; known: {', '.join(known)}{nearest(word, known)}"
                )
        self.shape = shape
        self.slope = surrogate(self.surrogate)
        self.progress = 0.0

    @property
    def binary(self) -> bool:
        """False for real weights, which the runtime refuses."""
        return True

    def keep(self, w_OIHW: Tensor) -> Tensor:
        """The latent weights as the method keeps them: clipped or centred. In training they are overwritten by it."""
        return w_OIHW

    def transform(self, n_OIHW: Tensor) -> Tensor:
        """Before the sign; a method overrides it."""
        return n_OIHW

    def normalised(self, w_OIHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n before `transform`, d, c)."""
        c = CENTERS[self.center](w_OIHW)
        v = w_OIHW - c
        d = NORMS[self.norm](v, self.eps)
        return v / d if self.norm != "none" else v, d, c

    def steps(self, w_OIHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n before the sign, scale [O,1,1,1], offset [O,1,1,1]) of kept weights."""
        n, d, c = self.normalised(w_OIHW)
        n = self.transform(n)
        scale = SCALES[self.scale](n, d)
        scale = scale if self.scale_grad == "full" else scale.detach()
        return n, scale, c if self.keep_center else torch.zeros_like(scale)

    def latent(self, w_OIHW: Tensor) -> Tensor:
        """keep(w), written into w in training: a later clip would let a weight run away from what is used."""
        if not self.training:
            return self.keep(w_OIHW)
        with torch.no_grad():
            kept = self.keep(w_OIHW)
            if kept is not w_OIHW:
                w_OIHW.copy_(kept)
        return w_OIHW

    def forward(self, w_OIHW: Tensor) -> Tensor:
        n, scale, offset = self.steps(self.latent(w_OIHW))
        b = surrogate_sign(n, self.slope, self.progress)
        if self.scale_grad == "none" and torch.is_grad_enabled():
            return ForwardScale.apply(b, scale) + offset
        return scale * b + offset

    @torch.no_grad()
    def binary_set(self, w_OIHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(bits bool [O,I,k,k], low value [O], step [O]): w_b = low + step * bit."""
        n, scale, offset = (t.detach() for t in self.steps(self.keep(w_OIHW)))
        return n >= 0, (offset - scale).flatten(), (2 * scale).flatten()

    @torch.no_grad()
    def refresh(self, w_OIHW: Tensor) -> None:
        """Called before every epoch, for state that is not learned by gradients (RBNN's rotations)."""

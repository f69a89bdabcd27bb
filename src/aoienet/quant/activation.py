"""What every activation quantizer has: a sum of binary planes, and a reason where the runtime cannot make them."""

from dataclasses import dataclass

from torch import Tensor, nn

from aoienet.quant.ste import surrogate

SAMPLE_EPS = 1e-5
PER_SAMPLE = (1, 2, 3)


def sample_std(x_NCHW: Tensor) -> Tensor:
    """sqrt(var + 1e-5) of each sample over C, H, W, unbiased: [N,1,1,1]."""
    return (x_NCHW.var(dim=PER_SAMPLE, keepdim=True) + SAMPLE_EPS).sqrt()


@dataclass(frozen=True)
class Levels:
    """q(x) = low + sum over j of step_j [x >= threshold_j], thresholds rising; one threshold per plane, or [J,C] per channel."""

    low: float
    thresholds: tuple[Tensor, ...]  # each of shape () or [C]
    steps: tuple[float, ...]

    def values(self) -> list[float]:
        """The legal values, rising."""
        out = [self.low]
        for step in self.steps:
            out.append(out[-1] + step)
        return out


class ActivationQuantizer(nn.Module):
    """Base of `quant/act/`: `name`, EXAMPLES, forward, levels. Built as kind(channels, surrogate).

    progress  share of the training that is done, set by the loop
    refusal   why no threshold gives its bits, or "" (then `levels` is exact in evaluation mode)
    passes    binary planes of one quantizer
    """

    name: str
    refusal: str = ""
    passes: int = 1
    SURROGATE = "clip"  # of EXAMPLES and of the method's own paper
    EXAMPLES: list[tuple[float, float, float]]  # x, q(x), d(sum of q)/dx: the rows are one map of a new quantizer

    def __init__(self, channels: int, surrogate_name: str = "") -> None:
        super().__init__()
        self.channels = channels
        self.slope = surrogate(surrogate_name or self.SURROGATE)
        self.progress = 0.0

    def levels(self) -> Levels:
        """Thresholds and steps of the planes in evaluation mode."""
        raise NotImplementedError

    def per_channel(self, value: Tensor) -> Tensor:
        return value.view(1, -1, 1, 1)

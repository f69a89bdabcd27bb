"""TensorBoard, for those who have it: the numbers of the metrics as they come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aoienet.extras import install


class Board:
    """Called with every row of the metrics; writes OUT/tensorboard. A resumed run writes its epochs over what it had written.

    Raises    ModuleNotFoundError when it is made, where the package is missing.
    """

    def __init__(self, out: Path) -> None:
        try:
            import tensorboard  # noqa: F401
        except ModuleNotFoundError as error:
            text = f"TensorBoard is missing; {install('tensorboard')}, or train without --tensorboard"
            raise ModuleNotFoundError(text, name=error.name) from error
        self.folder = Path(out) / "tensorboard"
        self.writer: Any = None

    def __call__(self, row: dict[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        epoch = row["epoch"]
        if self.writer is None:
            self.writer = SummaryWriter(str(self.folder), purge_step=epoch)
        for key, value in row.items():
            if key == "layers":
                for layer, values in value.items():
                    for name, number in values.items():
                        self.writer.add_scalar(f"{name}/{layer}", number, epoch)
            elif key != "epoch":
                self.writer.add_scalar(key, value, epoch)
        self.writer.flush()

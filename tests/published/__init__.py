"""Numbers that the original implementations gave; each JSON names repository, commit and file in `source`."""

import json
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).parent


def tensors(value: Any, dtype: torch.dtype) -> Any:
    """The JSON with every {shape, data} as a tensor."""
    if isinstance(value, dict):
        if set(value) == {"shape", "data"}:
            return torch.tensor(value["data"], dtype=dtype).reshape(value["shape"])
        return {key: tensors(each, dtype) for key, each in value.items()}
    return value


def published(name: str, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    """One file by its name without the suffix."""
    return tensors(json.loads((HERE / f"{name}.json").read_text(encoding="utf-8")), dtype)

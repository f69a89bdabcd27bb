"""Pages from templates: one file each without network and without scripts, every name in it escaped, written whole."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np

from aoienet.files import atomic

QUALITY = 82  # of the embedded JPEG pictures


def write(path: Path, name: str, context: dict[str, Any]) -> None:
    """Write the page of the template `name` of this folder; what is made while it is written is not held."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("aoienet.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as out:
        out.writelines(environment.get_template(name).generate(context))


def jpeg(pixels: np.ndarray) -> str:
    """uint8 [h, w] or [h, w, 3] as the address of an embedded picture."""
    from PIL import Image

    made = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(made, format="JPEG", quality=QUALITY)
    return embedded(made.getvalue())


def embedded(data: bytes) -> str:
    """A JPEG file as the address of an embedded picture."""
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()

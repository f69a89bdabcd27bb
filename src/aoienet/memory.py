"""How much memory this process took."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path


def peak_memory_mib() -> float | None:
    """Largest resident memory of this process so far, in MiB; None where the system does not tell."""
    with contextlib.suppress(OSError):  # Linux; getrusage would count what the calling process held before it
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / (1 << 10), 1)
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)

"""Memory and energy of the device that trains, as far as they can be read."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

import torch

RAPL = Path("/sys/class/powercap")
"""Where Linux shows the energy counters of Intel and AMD processors; often readable by root alone."""


class Meter:
    """Peak memory and energy from its making on."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._gpu = _nvml(device)
        self._counters = () if device.type == "cuda" else tuple(_readable(RAPL))
        self._last = self._read()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)

    def peak_bytes(self) -> int:
        """Most memory so far: of the device on a GPU, resident of the process elsewhere."""
        if self._device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self._device))
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    def joules(self) -> float | None:
        """Energy since the last call, of the whole device; None where it can't be read."""
        now = self._read()
        if now is None or self._last is None:
            return None
        # A counter that wrapped around costs one reading, not a negative energy.
        used, self._last = max(now - self._last, 0.0), now
        return used

    def _read(self) -> float | None:
        if self._gpu is not None:
            import pynvml

            return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(self._gpu)) / 1000
        if not self._counters:
            return None
        return sum(int(path.read_text()) for path in self._counters) / 1e6


def _nvml(device: torch.device) -> Any:
    """NVML's handle of the GPU, where nvidia-ml-py is installed and the GPU counts its energy."""
    if device.type != "cuda":
        return None
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(device.index or 0)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except (ImportError, OSError, RuntimeError):
        return None
    except Exception as error:
        # NVML's own errors share no base with the built-in ones, and the package may be absent.
        if type(error).__module__ != "pynvml":
            raise
        return None
    return handle


def _readable(folder: Path) -> list[Path]:
    found = []
    for path in sorted(folder.glob("intel-rapl:*/energy_uj")) if folder.exists() else ():
        try:
            path.read_text()
        except OSError:
            continue
        found.append(path)
    return found

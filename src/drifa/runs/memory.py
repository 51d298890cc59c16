"""How much memory a training holds at most."""

from __future__ import annotations

from pathlib import Path

import torch


def forget_peak(device: torch.device) -> bool:
    """Begins to watch anew for the most memory that is held; False where the system cannot tell.

    Linux tells what is resident (`proc(5)`, `clear_refs`), PyTorch what tensors take of an NVIDIA GPU.

    Args:
        device: Where a network is trained.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return True
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return device.type == "cpu"


def peak(device: torch.device) -> int:
    """The most memory since :func:`forget_peak` could tell, bytes: of a GPU what tensors took, else what was resident.

    Args:
        device: As there.
    """
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated())
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024

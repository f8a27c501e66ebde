"""What every launch passes, whatever the kernel."""

from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch

from .tuning import RowTuning, registers


def on_device(tensor: torch.Tensor) -> AbstractContextManager:
    """Launch on the tensor's own GPU, which need not be the current one."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()


def launch_options(tensor: torch.Tensor, tune: RowTuning) -> dict[str, int | bool]:
    """Compiler options. Fused multiply-adds stand in the source; nothing else is contracted, so
    that the compiler's version and its default do not show in the bits."""
    options: dict[str, int | bool] = {"num_warps": tune.warps, "enable_fp_fusion": False}
    if arch := architecture(tensor.device):
        options["maxnreg"] = registers(tune, arch)
    return options


@cache
def architecture(device: torch.device) -> int:
    """90 for sm_90; 0 for what is not of that family."""
    if device.type != "cuda" or torch.version.hip is not None:
        return 0
    major, minor = torch.cuda.get_device_capability(device)
    return 10 * major + minor

"""The capabilities of this process's device, and the precision to use on it."""

from typing import NamedTuple

# Environment variable: the number of ascii-maze commands that run at once and share this machine's cores.
JOBS = "ASCII_MAZE_JOBS"


class Device(NamedTuple):
    """A kind of device.

    Attributes:
        kind: `cuda`, `mps` or `cpu`, as torch names it.
        bfloat16: whether it supports bfloat16 natively, without emulation.
    """

    kind: str
    bfloat16: bool = False


class Precision(NamedTuple):
    """How a model is loaded and trained on a device.

    Attributes:
        dtype: of unquantised weights, and of the computation with 4-bit weights; torch's name.
        bf16: whether training autocasts to bfloat16.
        fp16: whether it autocasts to float16, with scaled gradients.
        quantises: whether bitsandbytes supports the device.
    """

    dtype: str
    bf16: bool
    fp16: bool
    quantises: bool


def this_device() -> Device:
    """The device of this process; imports torch."""
    import torch

    if torch.cuda.is_available():
        return Device("cuda", torch.cuda.is_bf16_supported(including_emulation=False))
    if torch.backends.mps.is_available():
        return Device("mps")
    return Device("cpu", torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def free_memory(device) -> int:
    """Free memory of a torch device, in bytes."""
    import torch

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    import psutil  # type: ignore[import-untyped]  # a dependency of accelerate

    return int(psutil.virtual_memory().available)


def precision_for(device: Device, whole_model: bool = False) -> Precision:
    """The precision in which to load and train a model.

    Args:
        whole_model: whether all weights are trained, not an adapter; in float16 their small gradients would underflow.
    """
    if device.kind == "cuda" and device.bfloat16:
        return Precision("bfloat16", bf16=True, fp16=False, quantises=True)
    if device.kind == "cuda":
        return Precision("float32" if whole_model else "float16", bf16=False, fp16=True, quantises=True)
    # On a CPU weights and optimizer state stay in float32, and autocast computes in bfloat16.
    return Precision("float32", bf16=device.bfloat16, fp16=False, quantises=device.kind == "cpu")

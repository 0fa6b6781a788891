"""What the device of this process can do, and the precision that goes with it."""

from typing import NamedTuple

# In the environment: how many commands of ours run at once, and share this machine's cores.
JOBS = "ASCII_MAZE_JOBS"


class Device(NamedTuple):
    """A kind of device.

    Attributes:
        kind: `cuda`, `mps` or `cpu`, as torch names it.
        bfloat16: whether it computes in bfloat16 itself, and does not emulate it.
    """

    kind: str
    bfloat16: bool = False


class Precision(NamedTuple):
    """How a model is loaded and trained on a device.

    Attributes:
        dtype: of weights that are not quantised, and of what 4-bit weights are computed in; torch's name.
        bf16: whether training autocasts to bfloat16.
        fp16: whether it autocasts to float16, with scaled gradients.
        quantises: whether bitsandbytes runs there.
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
    """Bytes that are free on a torch device."""
    import torch

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    import psutil  # type: ignore[import-untyped]  # one of accelerate's

    return int(psutil.virtual_memory().available)


def precision_for(device: Device, whole_model: bool = False) -> Precision:
    """The precision to load and to train in.

    Args:
        whole_model: all weights are trained and not an adapter: in float16 they would lose their small gradients.
    """
    if device.kind == "cuda" and device.bfloat16:
        return Precision("bfloat16", bf16=True, fp16=False, quantises=True)
    if device.kind == "cuda":
        return Precision("float32" if whole_model else "float16", bf16=False, fp16=True, quantises=True)
    # A CPU computes in bfloat16 from weights in float32, the optimizer's too.
    return Precision("float32", bf16=device.bfloat16, fp16=False, quantises=device.kind == "cpu")

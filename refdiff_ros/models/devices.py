"""Where models compute and in which number format."""

import torch

from refdiff_ros.errors import BadRequestError, BundleError

DTYPES = {'float32': torch.float32, 'float16': torch.float16, 'bfloat16': torch.bfloat16}


def choose_device(device: str | torch.device = 'auto') -> torch.device:
    """A device from its name: 'auto' (CUDA where there is one), 'cpu', 'cuda' or 'cuda:<n>'.

    Raises:
        BadRequestError: another name.
        BundleError: a CUDA device that this machine or this torch does not have.
    """
    name = str(device)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == 'auto':
        return torch.device('cuda:0' if count else 'cpu')
    if name == 'cpu':
        return torch.device('cpu')
    kind, _, index = name.partition(':')
    if kind != 'cuda' or (':' in name and not index.isdecimal()):
        raise BadRequestError(f"expected device 'auto', 'cpu', 'cuda' or 'cuda:<n>', "
                              f'got {name!r}')
    if int(index or 0) >= count:
        build = f'CUDA {torch.version.cuda}' if torch.version.cuda else 'a CPU-only build'
        raise BundleError(
            f"expected a device {name!r}, got {count} CUDA devices (torch {torch.__version__}, "
            f"{build}): check 'nvidia-smi' and the driver, or use device 'auto' or 'cpu'")
    return torch.device('cuda', int(index or 0))


def choose_dtype(dtype: str | torch.dtype, device: torch.device) -> torch.dtype:
    """A number format: 'auto' is float32 on the CPU and bfloat16 or float16 on CUDA.

    Raises:
        BadRequestError: another name than 'auto', 'float32', 'float16' and 'bfloat16', or
            float16 on the CPU, which lacks the operations.
    """
    if dtype == 'auto':
        if device.type != 'cuda':
            return torch.float32
        # Compute capability 8.0 is the first that computes in bfloat16 itself.
        native = torch.cuda.get_device_capability(device) >= (8, 0)
        return torch.bfloat16 if native else torch.float16
    chosen = DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if chosen is None or chosen not in DTYPES.values():
        raise BadRequestError(f"expected dtype 'auto' or one of {sorted(DTYPES)}, got {dtype!r}")
    if chosen is torch.float16 and device.type == 'cpu':
        raise BadRequestError("expected dtype 'float32' or 'bfloat16' on the CPU, got 'float16'")
    return chosen

"""What this machine is, and whether something fits into it."""

from pathlib import Path
import platform
from typing import Any

import torch

from refdiff_ros.models.model_set import DiffusionModels


def describe(device: torch.device) -> dict[str, Any]:
    """Names and versions that figures depend on, ready for JSON."""
    found = {'device': str(device), 'torch': torch.__version__, 'threads': torch.get_num_threads(),
             'cpu': _cpu_name(), 'python': platform.python_version()}
    if device.type == 'cuda':
        found['gpu'] = torch.cuda.get_device_name(device)
        found['cuda'] = torch.version.cuda
        found['gpu_bytes'] = torch.cuda.get_device_properties(device).total_memory
    return found


def _cpu_name() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(':', 1)[1].strip() for line in lines
                 if line.startswith('model name')), platform.processor())


def free_bytes(device: torch.device) -> int | None:
    """Memory that can still be had; None where the system does not say."""
    if device.type == 'cuda':
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path('/proc/meminfo').read_text().splitlines()
    except OSError:
        return None
    kilobytes = next((line.split()[1] for line in lines if line.startswith('MemAvailable')), None)
    return None if kilobytes is None else int(kilobytes) * 1024


def written_out_bytes(models: DiffusionModels, image_size: int) -> int:
    """What the largest attention takes where it is written out for two prompts in float32:
    logits and weights, of the UNet or the VAE.
    """
    unet, vae = models.unet, models.vae
    side = image_size >> (len(vae.config.block_out_channels) - 1)
    most = (side ** 2) ** 2 * 4 if vae.config.mid_block_add_attention else 0
    for level, block in enumerate(unet.down_blocks):
        for blocks in getattr(block, 'attentions', ())[:1]:
            heads = blocks.transformer_blocks[0].attn1.heads
            most = max(most, 2 * heads * ((side >> level) ** 2) ** 2 * 4)
    return 2 * most

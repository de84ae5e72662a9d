"""Small real models with seeded random weights, shared by the tests."""

from typing import Any

from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
import torch
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    Sam2Config,
    Sam2MaskDecoderConfig,
    Sam2Model,
    Sam2PromptEncoderConfig,
    Sam2VisionConfig,
)
from transformers.models.sam2 import Sam2HieraDetConfig

from refdiff_ros.models.model_set import ClipModels, DiffusionModels, ModelSet

# 'bottle' is left out on purpose: it is split into sub-tokens.
WORDS = ('red', 'blue', 'green', 'mug', 'box', 'plate', 'left', 'right', 'the', 'on', 'behind',
         'next', 'to', 'of')
LENGTH = 32


def tiny_tokenizer() -> CLIPTokenizer:
    """A byte-level BPE tokenizer in which each of `WORDS` is one token."""
    # GPT-2's printable stand-ins for the 256 bytes.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    symbols = [chr(byte) for byte in printable] + [chr(256 + n) for n in range(len(rest))]
    tokens = symbols + [symbol + '</w>' for symbol in symbols]
    merges = []
    for word in WORDS:
        parts = [*word[:-1], word[-1] + '</w>']
        while len(parts) > 1:
            merges.append((parts[0], parts[1]))
            parts = [parts[0] + parts[1], *parts[2:]]
    merges = list(dict.fromkeys(merges))
    tokens += [first + second for first, second in merges]
    tokens = [*list(dict.fromkeys(tokens)), '<|startoftext|>', '<|endoftext|>']
    vocab = {token: row for row, token in enumerate(tokens)}
    return CLIPTokenizer(
        vocab=vocab, merges=merges, model_max_length=LENGTH)


def _text_config(tokenizer: CLIPTokenizer, width: int, **changes) -> dict:
    return {
        'vocab_size': len(tokenizer), 'hidden_size': width, 'intermediate_size': 2 * width,
        'num_hidden_layers': 2, 'num_attention_heads': 2, 'max_position_embeddings': LENGTH,
        'bos_token_id': tokenizer.bos_token_id, 'eos_token_id': tokenizer.eos_token_id,
        'pad_token_id': tokenizer.pad_token_id} | changes


def tiny_diffusion(seed: int = 0, **unet_config: Any) -> DiffusionModels:
    """A latent diffusion model with cross-attention at three resolutions, 2x latents.

    Args:
        seed: of the weights.
        unet_config: settings of the UNet that are to be others.
    """
    torch.manual_seed(seed)
    tokenizer = tiny_tokenizer()
    vae = AutoencoderKL(
        block_out_channels=(8, 16), down_block_types=('DownEncoderBlock2D',) * 2,
        up_block_types=('UpDecoderBlock2D',) * 2, norm_num_groups=4, latent_channels=4,
        layers_per_block=1)
    unet = UNet2DConditionModel(**{
        'sample_size': 32, 'block_out_channels': (8, 16, 16, 16), 'layers_per_block': 2,
        'cross_attention_dim': 24, 'attention_head_dim': 2, 'norm_num_groups': 4,
        'down_block_types': ('CrossAttnDownBlock2D',) * 3 + ('DownBlock2D',),
        'up_block_types': ('UpBlock2D',) + ('CrossAttnUpBlock2D',) * 3} | unet_config)
    text = CLIPTextModel(CLIPTextConfig(**_text_config(tokenizer, 24)))
    scheduler = DDIMScheduler(
        num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012,
        beta_schedule='scaled_linear', steps_offset=1, clip_sample=False,
        set_alpha_to_one=False)
    return DiffusionModels(vae.eval(), unet.eval(), scheduler, text.eval(), tokenizer)


def plain_hidden(models: DiffusionModels, text: str) -> torch.Tensor:
    """The encoding of a text by the plain transformers calls, padding and all."""
    tokens = models.tokenizer(
        text, padding='max_length', max_length=models.tokenizer.model_max_length,
        return_tensors='pt')
    return models.text_encoder(tokens.input_ids).last_hidden_state


def tiny_clip(seed: int = 0) -> ClipModels:
    """A CLIP with a ViT of 4x4 patches of 8 px and three layers."""
    torch.manual_seed(seed)
    tokenizer = tiny_tokenizer()
    vision = CLIPVisionConfig(
        hidden_size=24, intermediate_size=48, num_hidden_layers=3, num_attention_heads=2,
        image_size=32, patch_size=8, projection_dim=16).to_dict()
    config = CLIPConfig(
        text_config=_text_config(tokenizer, 24, projection_dim=16), vision_config=vision,
        projection_dim=16)
    return ClipModels(CLIPModel(config).eval(), tokenizer)


def tiny_sam(seed: int = 0) -> Sam:
    """A SAM that sees 64 px."""
    torch.manual_seed(seed)
    size, patch, width = 64, 8, 16
    grid = size // patch
    return Sam(
        image_encoder=ImageEncoderViT(
            img_size=size, patch_size=patch, embed_dim=16, depth=2, num_heads=2,
            out_chans=width, use_rel_pos=True, window_size=4, global_attn_indexes=(1,)),
        prompt_encoder=PromptEncoder(
            embed_dim=width, image_embedding_size=(grid, grid), input_image_size=(size, size),
            mask_in_chans=4),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3, transformer_dim=width, iou_head_depth=2,
            iou_head_hidden_dim=16, transformer=TwoWayTransformer(
                depth=2, embedding_dim=width, num_heads=2, mlp_dim=32)),
    ).eval()


def tiny_model_set(seed: int = 0) -> ModelSet:
    """All of them as a bundle in memory."""
    return ModelSet(
        name='tiny', trained=False, diffusion=tiny_diffusion(seed), clip=tiny_clip(seed),
        sam=tiny_sam(seed), device=torch.device('cpu'), dtype=torch.float32,
        notice='tiny has random weights: its masks mean nothing')


def tiny_sam2(seed: int = 0) -> Sam2Model:
    """A SAM 2 of 64 pixels a side whose random masks differ."""
    torch.manual_seed(seed)
    backbone = Sam2HieraDetConfig(
        image_size=[64, 64], hidden_size=16, num_attention_heads=1, blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[16, 32, 64, 128], num_attention_heads_per_stage=[1, 2, 2, 4],
        window_size_per_stage=[8, 4, 4, 2], global_attention_blocks=[3],
        window_positional_embedding_background_size=[4, 4])
    vision = Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=[128, 64, 32, 16],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]], fpn_hidden_size=32)
    model = Sam2Model(Sam2Config(
        vision_config=vision,
        prompt_encoder_config=Sam2PromptEncoderConfig(
            hidden_size=32, image_size=64, patch_size=16),
        mask_decoder_config=Sam2MaskDecoderConfig(
            hidden_size=32, mlp_dim=64, num_attention_heads=2, iou_head_hidden_dim=32)))
    with torch.no_grad():
        for weight in model.mask_decoder.parameters():
            if weight.ndim >= 2:
                weight.mul_(10)
    return model.eval().requires_grad_(False)

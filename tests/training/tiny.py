"""A recipe of tiny networks, and a run folder for it."""

from pathlib import Path

from bluerider.training.emoji import EmojiSet
from bluerider.training.recipe import Recipe
from bluerider.training.workshop import Workshop

TINY = """
name: tiny
nets:
  text: {vocab: 320, width: 32, layers: 2, heads: 2, mlp: 64, tokens: 16, embed_dim: 32,
         activation: gelu, bos: 1, eos: 3, pad: 0}
  image: {size: 32, patch: 8, width: 32, layers: 1, heads: 2, mlp: 64, embed_dim: 32,
          activation: gelu}
  autoencoder: {channels: [32, 32, 32, 32], depth: 1, codes: 8}
  prior: {embed_dim: 32, text_dim: 32, tokens: 16, layers: 2, heads: 2, head_dim: 16}
  unet: {in_channels: 4, out_channels: 8, channels: [32, 32, 32], depth: 1,
         attends: [false, true, true], context_dim: 16, head_dim: 16}
  conditioner: {kind: image, context_dim: 16, time_dim: 128, image_dim: 32, tokens: 32}
  prior_schedule: {kind: cosine, predict: x0, clamp: 10.0, spacing: linspace, offset: 0}
  schedule: {kind: linear, predict: eps, clamp: 2.5, spacing: leading}
stages:
  tokenizer: {alphabet: 60}
  autoencoder: {steps: 2, batch: 2, rate: 1.0e-3, crop: 32, margin: 4, still: 0, near: 1.0,
                psnr: 0.02, painted: 0}
  image: {steps: 2, batch: 6, rate: 1.0e-3, scenes: 0.5, blends: 2}
  words: {steps: 2, batch: 6, rate: 1.0e-3, told: 0.3, keywords: 0.2, glossed: 0.3, undone: 0.2,
          longest: 16}
  recall: {steps: 2, batch: 6, rate: 1.0e-3, told: 0.5, keywords: 0.2, glosses: 20, glossed: 0.3,
           undone: 0.2, longest: 16}
  rehearse: {steps: 2, batch: 6, rate: 1.0e-3, told: 0.5, keywords: 0.2, glossed: 0.3, texts: 300}
  decoder: {steps: 2, batch: 2, rate: 1.0e-3, drop: 0.5, plain: 0.5, told: 0.5, variants: 3,
            blends: 2}
"""


def workshop(recipe: Recipe, emoji: EmojiSet, out: Path) -> Workshop:
    shop = Workshop(recipe, out, out, accelerator="cpu")
    shop.__dict__["emoji"] = emoji
    return shop

"""XLM-RoBERTa under multilingual CLIP's head: words of a hundred languages -> token states and a
vector in CLIP's space (Conneau et al. 2020; Carlsson et al. 2022). Kandinsky 2.0 and 2.1 read with
it.
"""

from typing import NamedTuple

from torch import Tensor, nn

from bluerider.config import XLMRConfig
from bluerider.nets.attention import Attention
from bluerider.nets.clip import MLP


class Meaning(NamedTuple):
    """What the encoder says of its tokens."""

    states: Tensor  # (B, S, width)
    pooled: Tensor  # (B, embed_dim)


class Layer(nn.Module):
    """Attention and MLP, each before its norm (BERT, Devlin et al. 2019)."""

    def __init__(self, config: XLMRConfig) -> None:
        super().__init__()
        self.attn = Attention(config.width, config.heads, config.width)
        self.norm1 = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.mlp = MLP(config.width, config.mlp, "gelu")
        self.norm2 = nn.LayerNorm(config.width, eps=config.norm_eps)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.norm1(x + self.attn(x, mask=mask))
        return self.norm2(x + self.mlp(x))


class MultilingualCLIP(nn.Module):
    """The encoder and its head; the pooled vector is the head on the mean of the real tokens."""

    def __init__(self, config: XLMRConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.width)
        self.positions = nn.Embedding(config.positions, config.width)
        self.types = nn.Embedding(1, config.width)  # BERT's sentences A and B; here all are A
        self.norm_in = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.pooler = nn.Linear(config.width, config.width)  # published with it, read by nobody
        self.head = nn.Linear(config.width, config.embed_dim)

    def forward(self, ids: Tensor, mask: Tensor) -> Meaning:
        """ids (B, S) int64 and mask (B, S), true on real tokens -> states, of padding too, and the
        pooled vector.
        """
        real = ids != self.config.pad
        places = real.cumsum(dim=1) * real + self.config.pad
        x = self.embed(ids) + self.positions(places) + self.types.weight[0]
        x = self.norm_in(x)
        visible = mask.bool()[:, None, None]
        for layer in self.layers:
            x = layer(x, visible)
        weight = mask[..., None].to(x.dtype)
        return Meaning(x, self.head((x * weight).sum(dim=1) / weight.sum(dim=1)))

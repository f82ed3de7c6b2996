"""MiniGPT, by hand: config, norm, positions, attention, feed-forward, block, model, cache.

Read it from top to bottom; docs/mini-gpt.md goes along with it, formula by formula. The shape of a
model is a `ModelConfig`. Shapes stand behind the lines where they change.

Legend: b texts, t tokens of each, s tokens that can be seen (those in the cache and the new ones),
w width, h heads of the queries, g heads of keys and values, d width of a head, f width of the
feed-forward, e experts, k experts of each token, n = b·t tokens in a row, v vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.gpt.config import Activation, ModelConfig
from training.gpt.positions import alibi_bias, rope_tables, rotate, sinusoidal_table

BALANCE_WEIGHT = 0.01  # of the load-balancing term in the loss; α in Switch
EMBEDDING_STD = 0.02

# ---------------------------------------------------------------------------------- norm


def make_norm(config: ModelConfig) -> nn.Module:
    """The norm in front of every branch, over the width of one token.

    RMSNorm, x / √(mean(x²) + ε) · weight: https://arxiv.org/abs/1910.07467. LayerNorm also
    subtracts the mean and may add a bias: https://arxiv.org/abs/1607.06450.
    """
    if config.norm == "rmsnorm":
        return nn.RMSNorm(config.width, eps=config.norm_eps)
    return nn.LayerNorm(config.width, eps=config.norm_eps, bias=config.bias)


# ----------------------------------------------------------------------------- attention


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Attention by its formula: softmax(q·kᵀ / √d + mask) · v, (b, h, t, d).

    queries (b, h, t, d), keys and values (b, h, s, d); mask (t, s) or (h, t, s), -∞ where a token
    must not look. Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, equation 1.
    """
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])  # (b, h, t, s)
    if mask is not None:
        # Mask before softmax: masking after it leaves rows that do not sum to 1.
        scores = scores + mask
    return scores.softmax(dim=-1) @ values  # (b, h, t, d)


def attend_fused(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """The same as `attend` by one operator, which never writes the (t, s) scores to memory.

    Source: Dao et al. 2022, FlashAttention, https://arxiv.org/abs/2205.14135.
    """
    causal = mask is None and queries.shape[-2] > 1
    return F.scaled_dot_product_attention(queries, keys, values, mask, is_causal=causal)


def causal_mask(new: int, seen: int, device: torch.device | None = None) -> Tensor:
    """(t, s): 0 where the new token may look, -∞ at tokens that come after it."""
    start = seen - new
    full = torch.full((new, seen), -math.inf, device=device)
    return full.triu(diagonal=start + 1)


class Attention(nn.Module):
    """Tokens look at earlier tokens: multi-head, grouped-query or multi-query attention.

    h query heads share g heads of keys and values: g = h is multi-head attention, g = 1 multi-query
    (https://arxiv.org/abs/1911.02150), between them grouped-query (https://arxiv.org/abs/2305.13245).
    The cache holds keys and values only, so it shrinks by h / g.
    """

    def __init__(self, config: ModelConfig, *, written_out: bool = False) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.size = config.heads, config.kv_heads, config.head_size
        rows = (self.heads + 2 * self.kv_heads) * self.size
        # One product gives all three. Rows of the weight: h queries, g keys, g values, d each.
        self.qkv = nn.Linear(config.width, rows, bias=config.bias)
        self.out = nn.Linear(self.heads * self.size, config.width, bias=config.bias)
        self.written_out = written_out

    def forward(
        self, x: Tensor, *, rope: tuple[Tensor, Tensor] | None, mask: Tensor | None, past: Past
    ) -> Tensor:
        """(b, t, w) -> (b, t, w)."""
        b, t, _ = x.shape
        heads = self.qkv(x).view(b, t, -1, self.size).transpose(1, 2)  # (b, h + 2g, t, d)
        turned, values = heads.split((self.heads + self.kv_heads, self.kv_heads), dim=1)
        if rope is not None:
            turned = rotate(turned, *rope)
        queries, keys = turned.split((self.heads, self.kv_heads), dim=1)
        if past is not None:
            keys, values = past(keys, values)  # (b, g, s, d)
        if self.kv_heads != self.heads:
            keys, values = (
                x.repeat_interleave(self.heads // self.kv_heads, dim=1) for x in (keys, values)
            )  # (b, h, s, d)
        if self.written_out and mask is None:
            mask = causal_mask(t, keys.shape[2], x.device)
        form = attend if self.written_out else attend_fused
        mixed = form(queries, keys, values, mask)  # (b, h, t, d)
        return self.out(mixed.transpose(1, 2).reshape(b, t, -1))


# -------------------------------------------------------------------------- feed-forward


def swiglu(x: Tensor) -> Tensor:
    """(..., 2f) -> (..., f): silu(gate) · up. Shazeer 2020, https://arxiv.org/abs/2002.05202."""
    gate, up = x.chunk(2, dim=-1)
    return F.silu(gate) * up


def gelu(x: Tensor) -> Tensor:
    """GELU in the tanh form that GPT-2 uses. https://arxiv.org/abs/1606.08415."""
    return F.gelu(x, approximate="tanh")


def relu2(x: Tensor) -> Tensor:
    """max(0, x)². So et al. 2021, Primer, https://arxiv.org/abs/2109.08668."""
    return F.relu(x).square()


ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "swiglu": swiglu,
    "gelu": gelu,
    "relu2": relu2,
}


class FeedForward(nn.Module):
    """Each token by itself: to a wider space, through a bend, and back."""

    def __init__(self, width: int, hidden: int, *, activation: Activation, bias: bool) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        # SwiGLU has two matrices here; one product gives both. Rows: f of the gate, f of the rest.
        rows = 2 * hidden if activation == "swiglu" else hidden
        self.up = nn.Linear(width, rows, bias=bias)
        self.down = nn.Linear(hidden, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(..., w) -> (..., w)."""
        return self.down(self.activation(self.up(x)))


class MixtureOfExperts(nn.Module):
    """A router sends each token to k of e feed-forwards and adds up what they say, weighted.

    Mixtral's form: softmax over all e router scores, the k largest, scaled to sum 1
    (https://arxiv.org/abs/2401.04088, section 2.1). `balance` is the load-balancing term of the
    last forward pass, e · Σᵢ fᵢ·Pᵢ with fᵢ the share of choices that fell on expert i and Pᵢ its
    mean probability: 1 when the load is even (Switch, https://arxiv.org/abs/2101.03961, eq. 4).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.per_token = config.experts_per_token
        self.router = nn.Linear(config.width, config.experts, bias=False)
        self.experts = nn.ModuleList(_feed_forward(config) for _ in range(config.experts))
        self.balance = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        """(b, t, w) -> (b, t, w)."""
        tokens = x.flatten(0, 1)  # (n, w)
        probabilities = self.router(tokens).float().softmax(dim=-1)  # (n, e)
        weights, chosen = probabilities.topk(self.per_token, dim=-1)  # (n, k)
        weights = (weights / weights.sum(dim=-1, keepdim=True)).to(x.dtype)
        self.balance = _balance(probabilities, chosen)
        mixed = torch.zeros_like(tokens)
        for number, expert in enumerate(self.experts):
            rows, places = (chosen == number).nonzero(as_tuple=True)  # tokens that it was chosen by
            said = expert(tokens[rows]) * weights[rows, places, None]
            mixed = mixed.index_add(0, rows, said)
        return mixed.view_as(x)


def _balance(probabilities: Tensor, chosen: Tensor) -> Tensor:
    experts = probabilities.shape[-1]
    share = torch.bincount(chosen.flatten(), minlength=experts) / chosen.numel()  # (e,)
    return experts * (share * probabilities.mean(dim=0)).sum()


def _feed_forward(config: ModelConfig) -> FeedForward:
    return FeedForward(config.width, config.hidden, activation=config.activation, bias=config.bias)


# --------------------------------------------------------------------------------- cache

Past = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None


class Cache:
    """Keys and values of the tokens seen so far, in memory that is taken once.

    keys, values: (layers, b, g, length, d); `filled` tokens of it are in use.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        batch: int = 1,
        length: int | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        length = length or config.context
        shape = (config.layers, batch, config.kv_heads, length, config.head_size)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.length, self.filled = length, 0

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store (b, g, t, d) behind what is filled; (b, g, s, d) of all. `filled` stays."""
        end = self.filled + keys.shape[2]
        self.keys[layer, :, :, self.filled : end] = keys
        self.values[layer, :, :, self.filled : end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def at(self, layer: int) -> Past:
        """`append` for one layer."""
        return lambda keys, values: self.append(layer, keys, values)

    def forget(self, filled: int = 0) -> None:
        """Keep the first `filled` tokens only."""
        self.filled = filled


# ---------------------------------------------------------------------------------- model


class Block(nn.Module):
    """One layer: attention among tokens, then the feed-forward in each; both add to the stream."""

    def __init__(self, config: ModelConfig, *, written_out: bool = False) -> None:
        super().__init__()
        self.attention_norm = make_norm(config)
        self.attention = Attention(config, written_out=written_out)
        self.feed_forward_norm = make_norm(config)
        self.feed_forward = (
            MixtureOfExperts(config) if config.experts > 1 else _feed_forward(config)
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, *, rope: tuple[Tensor, Tensor] | None, mask: Tensor | None, past: Past
    ) -> Tensor:
        """(b, t, w) -> (b, t, w)."""
        mixed = self.attention(self.attention_norm(x), rope=rope, mask=mask, past=past)
        x = x + self.dropout(mixed)
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


class MiniGPT(nn.Module):
    """A decoder-only Transformer: from the tokens so far to scores of the next one."""

    def __init__(self, config: ModelConfig, *, written_out: bool = False) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        if config.positions == "learned":
            self.places = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(
            Block(config, written_out=written_out) for _ in range(config.layers)
        )
        self.norm = make_norm(config)
        self.head = nn.Linear(config.width, config.vocab_size, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        for name, table in _tables(config).items():
            self.register_buffer(name, table, persistent=False)
        self.reset()
        if config.tied:
            self.head.weight = self.embedding.weight

    def forward(
        self, ids: Tensor, targets: Tensor | None = None, *, cache: Cache | None = None
    ) -> Tensor:
        """ids (b, t) -> logits (b, t, v) in float32; or, given targets (b, t), the loss."""
        start = cache.filled if cache else 0
        stop = start + ids.shape[1]
        x = self.dropout(self._embed(ids, start, stop))  # (b, t, w)
        rope = (self.cosines[start:stop], self.sines[start:stop]) if self._has_rope else None
        mask = self._mask(start, stop)
        for layer, block in enumerate(self.blocks):
            x = block(x, rope=rope, mask=mask, past=cache.at(layer) if cache else None)
        if cache:
            cache.filled = stop
        logits = self.head(self.norm(x)).float()  # (b, t, v)
        return logits if targets is None else self._loss(logits, targets)

    def loss(self, ids: Tensor, targets: Tensor) -> Tensor:
        """What training makes small: cross entropy in nats, plus BALANCE_WEIGHT · `balance`."""
        loss: Tensor = self(ids, targets)
        return loss

    @property
    def balance(self) -> Tensor:
        """Load balance of the last forward pass, mean over layers; 1: even, 0: no experts."""
        terms = [b.feed_forward.balance for b in self.blocks if self.config.experts > 1]
        return torch.stack(terms).mean() if terms else torch.zeros(())

    def reset(self) -> None:
        """New weights: what a branch adds to the stream starts at zero, so depth costs nothing.

        Other matrices keep the size of what they read: standard deviation 1 / √inputs.
        """
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                std = 1 / math.sqrt(module.in_features)
                branch_end = name.endswith((".out", ".down"))
                nn.init.normal_(module.weight, std=0.0 if branch_end else std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=EMBEDDING_STD)

    @property
    def _has_rope(self) -> bool:
        return self.config.positions == "rope"

    def _embed(self, ids: Tensor, start: int, stop: int) -> Tensor:
        x: Tensor = self.embedding(ids)  # (b, t, w)
        if self.config.positions == "learned":
            return x + self.places.weight[start:stop]
        if self.config.positions == "sinusoidal":
            # √w as in the paper: else the waves drown the small embeddings.
            return x * math.sqrt(self.config.width) + self.waves[start:stop]
        return x

    def _mask(self, start: int, stop: int) -> Tensor | None:
        """None where the causal mask of the fused operator is the right one."""
        device = self.embedding.weight.device
        if self.config.positions == "alibi":
            return self.bias[:, start:stop, :stop]  # (h, t, s)
        if start and stop - start > 1:
            return causal_mask(stop - start, stop, device)
        return None

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return loss + BALANCE_WEIGHT * self.balance if self.config.experts > 1 else loss


def _tables(config: ModelConfig) -> dict[str, Tensor]:
    if config.positions == "rope":
        cosines, sines = rope_tables(config.context, config.head_size, config.rope_theta)
        return {"cosines": cosines, "sines": sines}
    if config.positions == "sinusoidal":
        return {"waves": sinusoidal_table(config.context, config.width)}
    if config.positions == "alibi":
        return {"bias": alibi_bias(config.heads, config.context)}
    return {}

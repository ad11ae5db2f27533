"""paraphrase-MiniLM-L3 (Reimers and Gurevych 2019; Wang et al. 2020): BERT's architecture, with
three layers of twelve heads, trained so that sentences of like meaning have like vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from course.autograd import Tensor, no_grad
from course.data import WordPiece, data_file, load_arrays
from course.models.text import PADDING, mean_over_tokens, padding_mask, token_ids
from course.nn import Embedding, LayerNorm, Module, Sequential, TransformerBlock

FILE = "paraphrase_minilm_l3_int8_v15k.npz"
WIDTH, HEADS, LAYERS, POSITIONS = 384, 12, 3, 128
EPS = 1e-12  # BERT's, far smaller than Torch's default


class MiniLM(Module):
    """Word pieces to one unit vector a text: integers (N, T), [PAD] behind the shorter texts, to
    (N, 384).

    The product of two such vectors is the cosine of their angle. Layer i's token vectors are the
    output of "layers.i" (N, T, 384), its attention that of "layers.i.self_attn.weights"
    (N, 12, T, T).
    """

    def __init__(self, pieces: int = 15_500) -> None:
        self.embedding = Embedding(pieces, WIDTH)
        self.position = Embedding(POSITIONS, WIDTH)
        self.token_type = Embedding(1, WIDTH)  # BERT tells two sentences apart; here is but one
        self.norm = LayerNorm(WIDTH, EPS)
        self.layers = Sequential(
            *(TransformerBlock(WIDTH, HEADS, 4 * WIDTH, EPS) for _ in range(LAYERS))
        )

    def forward(self, ids: Any) -> Tensor:
        ids = token_ids(ids)
        return self.from_embeddings(self.embedding(ids), ids != PADDING)

    def from_embeddings(self, embeddings: Tensor, mask: Any = None) -> Tensor:
        """Vectors of word pieces (N, T, 384), before positions are added, to unit vectors.

        mask: booleans (N, T), or (1, T) for all alike, False at padding.
        """
        mask = padding_mask(mask, embeddings)
        length = embeddings.shape[1]
        if length > POSITIONS:
            raise ValueError(f"a text may have {POSITIONS} word pieces, got {length}")
        x = self.norm(embeddings + self.position.weight[:length] + self.token_type.weight)
        for layer in self.layers:
            x = layer(x, mask[:, None, None])
        mean = mean_over_tokens(x, mask)
        return mean / (mean * mean).sum(1, keepdim=True).sqrt()


PROJECTIONS = ("query", "key", "value")
# What BERT calls the parts of a layer, and what `torch.nn` calls them.
LAYER_NAMES = {
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}
NAMES = {
    "embeddings.word_embeddings": "embedding",
    "embeddings.position_embeddings": "position",
    "embeddings.token_type_embeddings": "token_type",
    "embeddings.LayerNorm": "norm",
    **{
        f"encoder.layer.{i}.{bert}": f"layers.{i}.{ours}"
        for i in range(LAYERS)
        for bert, ours in LAYER_NAMES.items()
    },
}


def from_bert(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Parameters by BERT's names to parameters by ours: three matrices become one, in_proj."""
    found = {}
    for bert, ours in NAMES.items():
        for part in ("weight", "bias"):
            if f"{bert}.{part}" in state:
                found[f"{ours}.{part}"] = state[f"{bert}.{part}"]
    for i in range(LAYERS):
        for part in ("weight", "bias"):
            names = [f"encoder.layer.{i}.attention.self.{n}.{part}" for n in PROJECTIONS]
            found[f"layers.{i}.self_attn.in_proj_{part}"] = np.concatenate(
                [state[name] for name in names]
            )
    return found


def dequantise(stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The file's numbers as float32, by BERT's names. A matrix is stored as whole numbers `.q` from
    -127 to 127 and a factor `.s` for each row."""
    found = {}
    for name, value in stored.items():
        if name.endswith(".q"):
            name = name.removesuffix(".q")
            found[name] = value * stored[f"{name}.s"].astype(np.float32)
        elif value.dtype == np.float16:
            found.setdefault(name, value.astype(np.float32))
    return {name: value for name, value in found.items() if not name.endswith(".s")}


def minilm() -> MiniLM:
    """The network with its shipped weights."""
    return MiniLM().load_state_dict(from_bert(dequantise(load_arrays(data_file(FILE)))))


def minilm_pieces() -> WordPiece:
    """Its tokenizer: 15,500 word pieces, half of BERT's. What is missing is cut finer."""
    with np.load(data_file(FILE), allow_pickle=False) as stored:
        return WordPiece(stored["vocab"], POSITIONS)


def sentence_embedding(
    texts: Sequence[str],
    model: MiniLM | None = None,
    pieces: WordPiece | None = None,
    chunk: int = 32,
) -> np.ndarray:
    """The texts' unit vectors (N, 384), of which the product is the cosine of their angle.

    model, pieces: where they are loaded already. chunk: how many texts are read at once.
    """
    model, pieces = model or minilm(), pieces or minilm_pieces()
    ids = pieces.encode_batch(texts)
    with no_grad():
        parts = [model(ids[start : start + chunk]).data for start in range(0, len(ids), chunk)]
    return np.concatenate(parts)

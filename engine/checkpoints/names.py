"""Names of tensors: from both published formats to Segue's. Those of the language model are audiocraft's.

    table       pattern of a stored name -> our name; `#` stands for a number, kept in order
    audiocraft  LM and conditioners from state_dict.bin, codec from compression_state_dict.bin
    transformers everything in one state dict: decoder, codec, text encoder

Our groups:  lm.*  codec.*  text.* (T5 encoder)  project.{text,melody,style}.*  chroma.window  style.* (the style
network)  hubert.* (its features); `None` = not used.
"""

from __future__ import annotations

import re

Table = tuple[tuple[str, str | None], ...]

_LAYER = "lm.transformer.layers.#."

AUDIOCRAFT_LM: Table = (
    ("emb.#.weight", "lm.emb.#.weight"),
    ("linears.#.weight", "lm.linears.#.weight"),
    ("out_norm.weight", "lm.out_norm.weight"),
    ("out_norm.bias", "lm.out_norm.bias"),
    *(
        (f"transformer.layers.#.{name}", _LAYER + name)
        for name in (
            "self_attn.in_proj_weight",
            "self_attn.out_proj.weight",
            "cross_attention.in_proj_weight",
            "cross_attention.out_proj.weight",
            "linear1.weight",
            "linear2.weight",
            *(f"{norm}.{part}" for norm in ("norm1", "norm2", "norm_cross") for part in ("weight", "bias")),
        )
    ),
    ("condition_provider.conditioners.description.output_proj.weight", "project.text.weight"),
    ("condition_provider.conditioners.description.output_proj.bias", "project.text.bias"),
    ("condition_provider.conditioners.self_wav.output_proj.weight", "project.melody.weight"),
    ("condition_provider.conditioners.self_wav.output_proj.bias", "project.melody.bias"),
    ("condition_provider.conditioners.self_wav.chroma.spec.window", "chroma.window"),
)

_WAV = "condition_provider.conditioners.self_wav."
# a style model's own rows; they precede AUDIOCRAFT_LM, whose output_proj is the melody's
AUDIOCRAFT_STYLE: Table = (
    *((f"{_WAV}output_proj.{part}", f"project.style.{part}") for part in ("weight", "bias")),
    *((f"{_WAV}embed.{part}", f"style.embed.{part}") for part in ("weight", "bias")),
    *(
        (f"{_WAV}transformer.layers.#.{name}", f"style.transformer.layers.#.{name}")
        for name in (
            "self_attn.in_proj_weight",
            "self_attn.out_proj.weight",
            "linear1.weight",
            "linear2.weight",
            *(f"{norm}.{part}" for norm in ("norm1", "norm2") for part in ("weight", "bias")),
        )
    ),
    *((f"{_WAV}batch_norm.running_{name}", f"style.batch_norm.running_{name}") for name in ("mean", "var")),
    (f"{_WAV}batch_norm.num_batches_tracked", None),
    (f"{_WAV}rvq.vq.layers.#._codebook.embed", "style.tables.#"),
    *((f"{_WAV}rvq.vq.layers.#._codebook.{name}", None) for name in ("embed_avg", "cluster_size", "inited")),
)

_LSTM = tuple(f"{part}_{way}_l#" for part in ("weight", "bias") for way in ("ih", "hh"))
_SIDES = ("encoder", "decoder")
# the two spellings of weight norm; `.g` and `.v` are folded into `.weight` when loaded
_NORMED = (
    ("bias", "bias"),
    ("weight_g", "weight.g"),
    ("weight_v", "weight.v"),
    ("parametrizations.weight.original0", "weight.g"),
    ("parametrizations.weight.original1", "weight.v"),
)

AUDIOCRAFT_CODEC: Table = (
    *(
        (f"{side}.model.#.{doubled}.{stored}", f"codec.{side}.layers.#.{ours}")
        for side in _SIDES
        for doubled in ("conv.conv", "convtr.convtr")
        for stored, ours in _NORMED
    ),
    *(
        (f"{side}.model.#.block.#.conv.conv.{stored}", f"codec.{side}.layers.#.block.#.{ours}")
        for side in _SIDES
        for stored, ours in _NORMED
    ),
    *((f"{side}.model.#.lstm.{name}", f"codec.{side}.layers.#.{name}") for side in _SIDES for name in _LSTM),
    ("quantizer.vq.layers.#._codebook.embed", "codec.quantizer.tables.#"),
    ("quantizer.vq.layers.#._codebook.embed_avg", None),
    ("quantizer.vq.layers.#._codebook.cluster_size", None),
    ("quantizer.vq.layers.#._codebook.inited", None),
)

_HF_LAYER = "decoder.model.decoder.layers.#."
_HF_CODEC = "audio_encoder."

T5: Table = (
    ("shared.weight", "text.embed.weight"),
    ("encoder.embed_tokens.weight", "text.embed.weight"),  # tied: either may be missing
    *(
        (f"encoder.block.#.layer.0.SelfAttention.{name}.weight", f"text.layers.#.attention.{name}.weight")
        for name in ("q", "k", "v", "o")
    ),
    (
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
        "text.position_bias.weight",
    ),
    ("encoder.block.#.layer.0.layer_norm.weight", "text.layers.#.attention_norm.weight"),
    ("encoder.block.#.layer.1.DenseReluDense.wi.weight", "text.layers.#.wi.weight"),
    ("encoder.block.#.layer.1.DenseReluDense.wo.weight", "text.layers.#.wo.weight"),
    ("encoder.block.#.layer.1.layer_norm.weight", "text.layers.#.ffn_norm.weight"),
    ("encoder.final_layer_norm.weight", "text.final_norm.weight"),
)

# a whole T5 (t5-base) also has its decoder, which a text encoder does not use
T5_UNUSED: Table = (("decoder.*", None), ("lm_head.weight", None))

TRANSFORMERS: Table = (
    ("decoder.model.decoder.embed_tokens.#.weight", "lm.emb.#.weight"),
    ("decoder.lm_heads.#.weight", "lm.linears.#.weight"),
    ("decoder.model.decoder.layer_norm.weight", "lm.out_norm.weight"),
    ("decoder.model.decoder.layer_norm.bias", "lm.out_norm.bias"),
    ("decoder.model.decoder.embed_positions.weights", None),  # computed, not stored
    *(
        (_HF_LAYER + f"{stored}.{part}_proj.weight", _LAYER + f"{ours}.in_proj_weight.{part}")
        for stored, ours in (("self_attn", "self_attn"), ("encoder_attn", "cross_attention"))
        for part in ("q", "k", "v")
    ),
    (_HF_LAYER + "self_attn.out_proj.weight", _LAYER + "self_attn.out_proj.weight"),
    (_HF_LAYER + "encoder_attn.out_proj.weight", _LAYER + "cross_attention.out_proj.weight"),
    (_HF_LAYER + "fc1.weight", _LAYER + "linear1.weight"),
    (_HF_LAYER + "fc2.weight", _LAYER + "linear2.weight"),
    *(
        (_HF_LAYER + f"{stored}.{part}", _LAYER + f"{ours}.{part}")
        for stored, ours in (
            ("self_attn_layer_norm", "norm1"),
            ("encoder_attn_layer_norm", "norm_cross"),
            ("final_layer_norm", "norm2"),
        )
        for part in ("weight", "bias")
    ),
    *((f"enc_to_dec_proj.{part}", f"project.text.{part}") for part in ("weight", "bias")),
    *((f"audio_enc_to_dec_proj.{part}", f"project.melody.{part}") for part in ("weight", "bias")),
    *(
        (f"{_HF_CODEC}{side}.layers.#.{block}conv.{stored}", f"codec.{side}.layers.#.{block}{ours}")
        for side in _SIDES
        for block in ("", "block.#.")
        for stored, ours in _NORMED
    ),
    *(
        (f"{_HF_CODEC}{side}.layers.#.lstm.{name}", f"codec.{side}.layers.#.{name}")
        for side in _SIDES
        for name in _LSTM
    ),
    (_HF_CODEC + "quantizer.layers.#.codebook.embed", "codec.quantizer.tables.#"),
    (_HF_CODEC + "quantizer.layers.#.codebook.embed_avg", None),
    (_HF_CODEC + "quantizer.layers.#.codebook.cluster_size", None),
    (_HF_CODEC + "quantizer.layers.#.codebook.inited", None),
    *((f"text_encoder.{stored}", ours) for stored, ours in T5),
)

# the codec's repository in transformers' format, to which compression_state_dict.bin may refer
TRANSFORMERS_CODEC: Table = tuple(
    (stored.removeprefix(_HF_CODEC), ours) for stored, ours in TRANSFORMERS if stored.startswith(_HF_CODEC)
)


class Names:
    """A table for looking names up; `ours(name)` is our name, None (not used) or KeyError.  [any]"""

    def __init__(self, *tables: Table) -> None:
        rows = [row for table in tables for row in table]
        self._rows = [(_pattern(stored), ours) for stored, ours in rows]

    def ours(self, name: str) -> str | None:
        """Our name for a stored one; None if it is known and not used. KeyError if it is unknown.  [any]"""
        for pattern, ours in self._rows:
            match = pattern.fullmatch(name)
            if match is None:
                continue
            if ours is None:
                return None
            for number in match.groups():
                ours = ours.replace("#", number, 1)
            return ours
        raise KeyError(name)


def _pattern(stored: str) -> re.Pattern[str]:
    text = re.escape(stored).replace(r"\#", "#").replace("#", r"(0|[1-9][0-9]{0,3})").replace(r"\*", ".*")
    return re.compile(text)

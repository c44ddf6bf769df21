"""Names and shapes in transformers' format: the decoder of MusicGen, its codec and text encoder, and MERT."""

from __future__ import annotations

from engine.checkpoints.layout import N_CHROMA, ModelSizes, Named, audiocraft_codec, t5_encoder
from engine.codec.encodec import EncodecConfig

_NORMS = {"norm1": "self_attn_layer_norm", "norm_cross": "encoder_attn_layer_norm", "norm2": "final_layer_norm"}
_CONVS = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))  # kernel, stride


def whole(sizes: ModelSizes) -> Named:
    """Everything in model.safetensors of a MusicGen repository, float32.  [any]"""
    yield from ((f"text_encoder.{name}", shape) for name, shape in t5_encoder(sizes.t5))
    yield "text_encoder.encoder.embed_tokens.weight", (sizes.t5.vocabulary, sizes.t5.dim)
    yield from ((f"audio_encoder.{name}", shape) for name, shape in codec(sizes.codec))
    yield from _decoder(sizes)
    projections = {"enc_to_dec_proj": sizes.t5.dim}
    if sizes.kind == "melody":
        projections["audio_enc_to_dec_proj"] = N_CHROMA
    for name, width in projections.items():
        yield f"{name}.weight", (sizes.lm.dim, width)
        yield f"{name}.bias", (sizes.lm.dim,)


def _decoder(sizes: ModelSizes) -> Named:
    lm, dim = sizes.lm, sizes.lm.dim
    at = "decoder.model.decoder."
    for k in range(lm.n_codebooks):
        yield f"{at}embed_tokens.{k}.weight", (lm.card + 1, dim)
    for layer in range(lm.n_layers):
        here = f"{at}layers.{layer}."
        for name in ("self_attn", "encoder_attn") if lm.cross_attention else ("self_attn",):
            for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                yield f"{here}{name}.{part}.weight", (dim, dim)
        yield f"{here}fc1.weight", (lm.ffn_mult * dim, dim)
        yield f"{here}fc2.weight", (dim, lm.ffn_mult * dim)
        for ours, theirs in _NORMS.items():
            if lm.cross_attention or ours != "norm_cross":
                yield from ((f"{here}{theirs}.{part}", (dim,)) for part in ("weight", "bias"))
    yield from ((f"{at}layer_norm.{part}", (dim,)) for part in ("weight", "bias"))
    for k in range(lm.n_codebooks):
        yield f"decoder.lm_heads.{k}.weight", (lm.card, dim)


def codec(config: EncodecConfig) -> Named:
    """The codec alone, as its own repository has it.  [any]"""
    for name, shape in audiocraft_codec(config):
        name = name.replace(".conv.conv.", ".conv.").replace(".convtr.convtr.", ".conv.")
        name = name.replace("coder.model.", "coder.layers.").replace("quantizer.vq.", "quantizer.")
        name = name.replace("._codebook.", ".codebook.")
        name = name.replace("weight_g", "parametrizations.weight.original0")
        yield name.replace("weight_v", "parametrizations.weight.original1"), shape


def hubert(dim: int = 768, ffn: int = 3072, n_layers: int = 12, width: int = 512, taps: int = 128) -> Named:
    """MERT-v1-95M, float32: HuBERT-base with the older names of weight norm, as in its file.  [any]"""
    yield "masked_spec_embed", (dim,)
    for index, (kernel, _) in enumerate(_CONVS):
        yield f"feature_extractor.conv_layers.{index}.conv.weight", (width, 1 if index == 0 else width, kernel)
    yield from _affine("feature_extractor.conv_layers.0.layer_norm", width)
    yield from _affine("feature_projection.layer_norm", width)
    yield "feature_projection.projection.weight", (dim, width)
    yield "feature_projection.projection.bias", (dim,)
    yield "encoder.pos_conv_embed.conv.bias", (dim,)
    yield "encoder.pos_conv_embed.conv.weight_g", (1, 1, taps)
    yield "encoder.pos_conv_embed.conv.weight_v", (dim, dim // 16, taps)
    yield from _affine("encoder.layer_norm", dim)
    for layer in range(n_layers):
        at = f"encoder.layers.{layer}."
        shapes = {f"attention.{name}_proj": (dim, dim) for name in ("k", "v", "q", "out")}
        shapes |= {"feed_forward.intermediate_dense": (ffn, dim), "feed_forward.output_dense": (dim, ffn)}
        for name, shape in shapes.items():
            yield f"{at}{name}.weight", shape
            yield f"{at}{name}.bias", shape[:1]
        yield from _affine(at + "layer_norm", dim)
        yield from _affine(at + "final_layer_norm", dim)


def _affine(name: str, dim: int) -> Named:
    yield f"{name}.weight", (dim,)
    yield f"{name}.bias", (dim,)

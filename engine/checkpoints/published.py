"""The configurations beside published weights, made from a model's sizes: the entries that affect the computation."""

from __future__ import annotations

from typing import Any

from engine.checkpoints.layout import N_CHROMA, ModelSizes
from engine.codec.encodec import EncodecConfig
from engine.conditions.text_t5 import T5Config

Config = dict[str, Any]
SAMPLE_RATE_HZ = 32000


def lm_config(sizes: ModelSizes) -> Config:
    """`xp.cfg` of state_dict.bin, its references unresolved as in the published files.  [any]"""
    lm, music = sizes.lm, sizes.kind != "text"
    description = {"model": "t5", "t5": {"name": "t5-base", "finetune": False, "word_dropout": 0.2}}
    conditioners: Config = {"description": description}
    if music:
        conditioners = {"self_wav": _self_wav(sizes), **conditioners}
    return {
        "solver": "musicgen",
        "sample_rate": SAMPLE_RATE_HZ,
        "channels": sizes.channels,
        "dataset": {"segment_duration": sizes.seconds},
        "classifier_free_guidance": {"training_dropout": 0.2, "inference_coef": 3.0},
        "fuser": {
            "cross_attention_pos_emb": False,
            "sum": [],
            "prepend": ["self_wav", "description"] if music else [],
            "cross": [] if music else ["description"],
            "input_interpolate": [],
        },
        "conditioners": conditioners,
        "interleave_stereo_codebooks": {"use": sizes.channels == 2, "per_timestep": False},
        "lm_model": "transformer_lm",
        "codebooks_pattern": {"modeling": "delay", "delay": {"delays": list(lm.delays), "flatten_first": 0}},
        "transformer_lm": {
            "dim": lm.dim,
            "num_heads": lm.n_heads,
            "num_layers": lm.n_layers,
            "hidden_scale": lm.ffn_mult,
            "n_q": lm.n_codebooks,
            "card": lm.card,
            "activation": "gelu",
            "norm_first": True,
            "positional_embedding": "sin",
            "cross_attention": lm.cross_attention,
        },
    }


def _self_wav(sizes: ModelSizes) -> Config:
    if sizes.kind == "melody":
        chroma = {"sample_rate": "${sample_rate}", "n_chroma": N_CHROMA, "radix2_exp": 14, "argmax": True}
        return {"model": "chroma_stem", "chroma_stem": {**chroma, "match_len_on_eval": False}}
    style = sizes.style
    return {
        "model": "style",
        "style": {
            "model_name": "mert",
            "transformer_scale": f"own-{style.dim}-{style.n_heads}-{style.n_layers}"
            if (style.dim, style.n_heads, style.n_layers) != (512, 8, 8)
            else "default",
            "sample_rate": "${sample_rate}",
            "length": 3.0,
            "ds_factor": style.ds_factor,
            "n_q_out": style.n_codebooks,
            "eval_q": 3,
            "bins": style.card,
            "varying_lengths": [1.5, 4.5],
            "batch_norm": True,
            "compute_mask": True,
            "num_codebooks_lm": "${transformer_lm.n_q}",
            "use_middle_of_segment": False,
        },
    }


def codec_config(codec: EncodecConfig) -> Config:
    """`xp.cfg` of compression_state_dict.bin.  [any]"""
    return {
        "solver": "compression",
        "sample_rate": codec.sample_rate,
        "channels": codec.channels,
        "compression_model": "encodec",
        "encodec": {"autoencoder": "seanet", "quantizer": "rvq", "causal": False, "renormalize": False},
        "seanet": {
            "dimension": codec.dim,
            "channels": "${channels}",
            "causal": "${encodec.causal}",
            "n_filters": codec.n_filters,
            "n_residual_layers": 1,
            "ratios": list(codec.ratios),
            "activation": "ELU",
            "norm": "weight_norm",
            "kernel_size": codec.kernel,
            "residual_kernel_size": codec.residual_kernel,
            "last_kernel_size": codec.last_kernel,
            "pad_mode": codec.pad_mode,
            "true_skip": True,
            "compress": codec.compress,
            "lstm": codec.lstm_layers,
            "decoder": {"trim_right_ratio": 1.0, "final_activation": None},
        },
        "rvq": {"n_q": codec.n_codebooks, "bins": codec.card},
    }


def whole_json(sizes: ModelSizes) -> Config:
    """config.json of a repository in transformers' format.  [any]"""
    lm, melody = sizes.lm, sizes.kind == "melody"
    decoder = {
        "activation_function": "gelu",
        "audio_channels": sizes.channels,
        "ffn_dim": lm.ffn_mult * lm.dim,
        "hidden_size": lm.dim,
        "max_position_embeddings": 2048,
        "model_type": "musicgen_melody_decoder" if melody else "musicgen_decoder",
        "num_attention_heads": lm.n_heads,
        "num_codebooks": lm.n_codebooks,
        "num_hidden_layers": lm.n_layers,
        "pad_token_id": lm.card,
        "scale_embedding": False,
        "vocab_size": lm.card,
    }
    whole: Config = {
        "model_type": "musicgen_melody" if melody else "musicgen",
        "audio_encoder": codec_json(sizes.codec),
        "decoder": decoder,
        "text_encoder": t5_json(sizes.t5),
    }
    if melody:
        frames = SAMPLE_RATE_HZ * sizes.seconds // 4096 + 1
        whole |= {"num_chroma": N_CHROMA, "chroma_length": frames}
    return whole


def codec_json(codec: EncodecConfig) -> Config:
    """config.json of the codec's own repository, and the section of a whole one.  [any]"""
    bits = (codec.card - 1).bit_length()
    kilobits = codec.n_codebooks * bits * -(-codec.sample_rate // codec.frame_samples) / 1000
    return {
        "model_type": "encodec",
        "audio_channels": codec.channels,
        "codebook_dim": codec.dim,
        "codebook_size": codec.card,
        "compress": codec.compress,
        "hidden_size": codec.dim,
        "kernel_size": codec.kernel,
        "last_kernel_size": codec.last_kernel,
        "norm_type": "weight_norm",
        "normalize": False,
        "num_filters": codec.n_filters,
        "num_lstm_layers": codec.lstm_layers,
        "num_residual_layers": 1,
        "pad_mode": codec.pad_mode,
        "residual_kernel_size": codec.residual_kernel,
        "sampling_rate": codec.sample_rate,
        "target_bandwidths": [kilobits],
        "trim_right_ratio": 1.0,
        "upsampling_ratios": list(codec.ratios),
        "use_causal_conv": False,
        "use_conv_shortcut": False,
    }


def t5_json(t5: T5Config) -> Config:
    """config.json of a T5 encoder.  [any]"""
    return {
        "model_type": "t5",
        "d_model": t5.dim,
        "num_heads": t5.n_heads,
        "d_kv": t5.head_dim,
        "d_ff": t5.ffn_dim,
        "num_layers": t5.n_layers,
        "vocab_size": t5.vocabulary,
        "feed_forward_proj": "relu",
        "relative_attention_num_buckets": t5.n_buckets,
        "relative_attention_max_distance": t5.max_distance,
        "layer_norm_epsilon": t5.eps,
        "_name_or_path": "t5-base",
    }


def mert_json() -> Config:
    """config.json of MERT-v1-95M: HuBERT-base, MERT's own options off.  [any]"""
    return {
        "model_type": "mert_model",
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "num_conv_pos_embeddings": 128,
        "num_conv_pos_embedding_groups": 16,
        "conv_dim": [512] * 7,
        "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
        "conv_stride": [5, 2, 2, 2, 2, 2, 2],
        "conv_bias": False,
        "layer_norm_eps": 1e-5,
        "hidden_act": "gelu",
        "feat_extract_activation": "gelu",
        "feat_extract_norm": "group",
        "feat_proj_layer_norm": True,
        "do_stable_layer_norm": False,
        "feature_extractor_cqt": False,
        "deepnorm": False,
        "attention_relax": -1.0,
    }

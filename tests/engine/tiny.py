"""The sizes of the smallest model that has every part."""

from engine.checkpoints.layout import ModelSizes
from engine.codec.encodec import EncodecConfig
from engine.conditions.style_net import StyleConfig
from engine.conditions.text_t5 import T5Config
from engine.core.config import LMConfig

TINY = ModelSizes(
    LMConfig(dim=64, n_heads=2, n_layers=2, card=32),
    codec=EncodecConfig(n_filters=2, dim=8, card=32),
    t5=T5Config(dim=32, n_heads=2, head_dim=16, ffn_dim=64, n_layers=2, vocabulary=64),
    style=StyleConfig(dim=32, n_heads=2, n_layers=1, n_codebooks=2, card=16, features=768),
    seconds=2,
)

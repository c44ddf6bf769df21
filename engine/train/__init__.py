"""How the embedded model is made, from nothing but this folder and permissively licensed sounds.

Reading order: genres, compose (notes), render (audio), captions (text), dataset (tokens on disk), codec_fit and
codec_train (the codec), lm_train (the language model), evaluate (what it can do), export (the shipped files).

All of it [main].
"""

"""Trains the embedded model from this folder and permissively licensed sounds only.

Reading order: genres, compose (notes), render, render_set (audio), captions (text), codec_fit and codec_train (the
codec), tokenise, lm_data (tokens), lm_train (the language model), evaluate (its measures), export (the shipped files).

All of it [main].
"""

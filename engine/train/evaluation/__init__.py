"""Evaluation of the embedded model on held-out pieces, every figure with a control.

Reading order: table (rows, goals), pieces (held-out music), asks (the requests), kept (the model's outputs on disk),
sound, ears, classify and nearness (the measures), then the rows: rows_codec, rows_following, rows_words, rows_onward,
rows_steady, rows_nearness; plots. `cards` has the published models' own metrics.
The command is `python -m engine.train.evaluate`.

All of it [main].
"""

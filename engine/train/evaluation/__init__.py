"""What the embedded model can do, measured on pieces it never saw, every figure beside a control.

Reading order: table (rows, goals), pieces (held-out music), asks (what is asked of the model), kept (its answers, on
disk), sound and ears and classify and nearness (the measures), then the rows: rows_codec, rows_following, rows_words,
rows_onward, rows_steady, rows_nearness; plots. `cards` has the published models' own metrics.
The command is `python -m engine.train.evaluate`.

All of it [main].
"""

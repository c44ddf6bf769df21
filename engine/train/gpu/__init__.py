"""Training on a lent GPU, some minutes at a time: what travels there, and what runs there.

    here   pack (sounds, wheels: under the size that may travel), with soundfonts made small by font
    there  farm (processes that compose, render and cut batches) --> course (codec, language model) --> shards (files)

`python -m engine.train.gpu` is the command; docs/training.md has its lines.

All of it [main].
"""

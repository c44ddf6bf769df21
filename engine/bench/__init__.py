"""Speed of the models on this machine, by shape and precision, beside transformers' generate in the same run.

shapes      which models, how large                  contest     rounds in which all sides alternate
floor       bytes that a step must read              sounding    to the first sound, to a change, the codec's share
bandwidth   how fast this machine reads              lanes       1, 2, 4, 8 at once
segue_side, reference                                the two sides of the contest
plan, children                                       what fits in memory, a process a model, time limits
results, table, picture                              JSON, text, PNG
alone       the embedded model's figures in `segue bench`
"""

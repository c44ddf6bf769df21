"""`segue bench --jam`: jams that play themselves, measured.

clients.py   programs for JACK: a player who plays on the beat that she hears, and a loop with delay and level
stage.py     a JACK server without a sound card, and jams in processes of their own
figures.py   what a recording says: hand-overs, silence, latency
likeness.py  whether an answer repeats the player's turn
command.py   the scenes, in order
"""

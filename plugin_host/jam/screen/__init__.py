"""The screen of a jam: bar clock, plan, levels and ring, and the answers to presses.

picture.py     the rows of the screen, from a `JamState`
painter.py     rows on a terminal: only those that changed are written
jam_screen.py  the thread that shows them; lines instead where there is no terminal
"""

"""Makes again, from a lane's journal, what was heard: frames are read, everything behind them is computed.

played.py    a renderer whose frames come from a journal, and a ring that takes what the first one took
lane.py      the lines of a journal, one after the other
command.py   `python -m engine.serve.replay FOLDER`, started by `segue render`
"""

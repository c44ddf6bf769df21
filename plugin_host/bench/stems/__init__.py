"""`segue bench --stems`: stems in one batch and one by one, heard by others, killed; and what was live, rendered again.

command.py   the scenes in order, a table, a JSON file
batch.py     one run against one by one; purity; how near the lanes of a variation are to each other
heard.py     tempo, phase and key of each stem by librosa
killed.py    kill -9 while stems are made and kept (keeper.py is the process)
live.py      a live session with commands, and the same rendered from its journal
"""

"""The recording of a jam, written as it is played and readable at any moment.

[audio] add --ring of samples--> [recorder's thread] --> input.wav, segue.wav, mix.wav
[any]   note -----lines--------> [recorder's thread] --> session.jsonl

recorder.py     the thread, and what happens when the disk is full
sample_ring.py  between the threads
wave_file.py    a WAV file whose header is right after every write
journal.py      lines that are complete or absent
repair.py       a recording whose program was killed: equal lengths again
"""

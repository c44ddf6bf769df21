"""What a lane did, on the disk while it plays: enough to make again, sample for sample, what was heard.

    [generate] operations on a lane's stream ---> [journal] journal.jsonl, references/

values.py    the engine's values as JSON, and back; references by their content
writer.py    the thread that writes: lines that are complete or absent
recorder.py  one lane's journal, the mark of operations that it records, and the ring that it watches
"""

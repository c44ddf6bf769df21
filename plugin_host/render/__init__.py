"""`segue render`: what was heard live, made again from its journal, faster than real time.

again.py   the child process that makes the music again, and a host that plays it in step
heard.py   the host: one that plays wherever the first one played
places.py  where that was
journal.py a journal's lines, without making its music: stretches, prompts, seeds
"""

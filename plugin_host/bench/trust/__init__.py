"""`segue bench --trust`: what Segue withstands, counted; each row of the scoreboard has a figure and a broken twin.

command.py   two rows at a time, one of each kind, a line for each; exit code 1 below a figure
table.py     the rows: number, name, file, seconds
figure.py    what a row reached, and of what
child.py     one row in a process of its own, which may hang or crash without taking the others with it
stage.py     how much a row counts, and where it may write
playing.py   an engine with one lane that plays into a host in real time
flood.py     a process that sends datagrams at a rate
"""

"""`segue panel`: a page in the browser that shows and plays a running engine.

    browser --HTTP, one websocket--> panel process --OSC--> engine, `segue watch`, `jam`, `midi`
                                          |---------reads--> the lanes' rings, for pictures of the sound

It is a client of the engine as every other: a process of its own, which imports nothing of the engine.

page/         the page: HTML, CSS and ES modules, as they are in the wheel
gate.py       who may come in: token in the address, Host, Origin, method
table.py      the message table for the page: no parameter is named twice
state.py      the newest state by what it is about, and who is told of it
peaks.py      pictures of the lanes' sound, from their rings
ports.py      `segue watch`, `jam` and `midi` at their ports
link.py       the engine's state as it subscribes to it, and measurements, asked for on a thread
midi_view.py  the map of `segue midi`, and what is learned
others.py     whether these programs are there
own_engine.py the engine that the panel starts
programs.py   `segue host`, `watch`, `jam` and `midi` as child processes
files.py      music from the browser, and files for it
desk.py       requests of the page
session.py    one websocket
server.py     the routes; run.py  the program
"""

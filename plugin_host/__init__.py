"""What runs on the DAW's side. Imports bridge only: no engine, no torch.

A native plugin does the same, in the same order:

    client.py      say hello, open a lane, hand over regions, prompt and parameters, play      [main]
    session.py     do so again when the engine has been away                                    [main]
    processor.py   process(out, transport): read the ring by position, hold, rejoin, fade      [audio]
      held_bar.py, fade.py   the parts of it
    timeline.py    a host's timeline where there is no DAW
    headless.py    a DAW without a window: timeline, one clip, one lane, to memory
      clock.py     at the wall clock's pace or the engine's
      soundcard.py at a sound card's

    cli.py         the command line: demo, engine, host, doctor, bench, version
"""

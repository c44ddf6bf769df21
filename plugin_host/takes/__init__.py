"""Takes: music from the engine as files for a DAW's timeline, which can be made again.

make.py      one take, offline: from an own or a running engine, an exact number of bars
  place.py   the positions of region and take
  engines.py the engine that makes it
take.py      a take on disk: writer and reader
  finish.py  level, crossfaded loop, samples of 16, 24 or 32 bits
  wave.py    RIFF WAVE: writer and careful reader
  chunks.py  metadata for DAWs: bext, acid, smpl, cue, iXML
  recipe.py  everything needed to make the take again
  names.py   file names: keep their letters, valid on every system
live.py      bars that were played live as takes, from their journal
  live_note.py, live_copy.py   which part of which journal; the session's copy of it
dawproject.py  several takes as one project
cli/take_commands.py, cli/watch_commands.py  `segue take`, `open`, `export`, `watch`, `scripts`
  watch.py, jobs.py, take_handlers.py   a folder and a UDP port for orders from DAWs
  beside.py, unfinished.py     the takes and errors there; whether a file is complete
"""

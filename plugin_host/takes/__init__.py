"""Takes: music from the engine as files that a DAW can lay on its time line, and that can be made again.

make.py      one take: engine process or a running one, offline, exactly so many bars
  place.py   where the region lies, and where the take begins
  engines.py the engine that makes it
take.py      what a take is; onto disk and back
  finish.py  level, crossfaded loop, samples of 16, 24 or 32 bits
  wave.py    RIFF WAVE: writer and careful reader
  chunks.py  bext, acid, smpl, cue, iXML: what DAWs read beside the samples
  recipe.py  all that it takes to make the take again
  names.py   file names: letters kept, taken by every system
dawproject.py  several takes as one project
cli/take_commands.py, cli/watch_commands.py  `segue take`, `open`, `export`, `watch`, `scripts`
  watch.py, jobs.py, take_handlers.py   a folder and a UDP port that take orders from DAWs
  beside.py, unfinished.py     where takes and errors lie there; whether a file is whole
"""

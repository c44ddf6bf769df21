"""Stems: lanes of one variation that belong together, each a take of its own; variations ranked by what is measured.

order.py      what is ordered, and what is there already
run.py        making it: lane by lane, all variations at once; cancel, and go on
  lanes.py         names, words and kinds of lanes
  conditioning.py  how a lane is asked of the loaded model, and what it hears
  separate.py      a stem taken out of what was made
  level.py         the guard of levels
figures.py    what is measured: beat, key, purity, level, silence, repeats
  sound.py, purity.py, purity_features.py, purity_weights.py    levels of bands; shares of kinds of instruments
  fit_purity.py    how the weights were fitted
rank.py       the order of variations
state.py      stems.json
page.py, page_text.py    index.html
"""

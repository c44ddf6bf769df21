"""The beat of audio: where it lies against the host's, bending it there, and what a region's own is.

onsets -> estimate -> steer -> bend      of what a model makes, before it is heard (models not told the tempo)
analyse, candidates -> tempo, key, stretch      of a region, once
"""

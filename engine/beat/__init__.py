"""The beat of audio: detection against the host's, alignment, and the analysis of regions.

onsets -> estimate -> steer -> bend      of a model's output, before it is heard (models without tempo conditioning)
analyse, candidates -> tempo, key, stretch      of a region, once
"""

"""Weights of a candidate's figures (`candidates.Candidate.figures`, in its order), as logarithms of odds.

Fitted by multinomial regression, one choice among candidates per loop, on 1,200 synthesised loops of fifteen rhythms
(straight, swung, ternary, compound, half-time; 60 to 200 bpm, one to eight bars, with tails and without, with basses
and chords or none), 300 of printed drum machine patterns and 325 pieces of our composer; the rhythms of the tests'
names count two to four times. Results on other music are in docs/beat.md.
"""

from __future__ import annotations

import numpy as np

_ROWS = (
    (0.856, 3.558, 1.146, -0.079, 0.152, -0.124, -2.149, -0.247, 1.390, -0.670, 0.534),  # alike, all bands
    (-1.667, -2.687, 0.116, -0.058, -0.070, 0.629, -1.906, -1.523, -0.496, -0.468, 3.954),  # alike, low
    (0.948, 0.848, 0.591, -0.285, -0.742, -1.220, -2.497, 0.335, -3.923, -0.175, 0.543),  # alike, middle
    (-0.216, 1.390, 1.799, 1.485, 0.033, 3.215, 0.018, -1.231, -1.053, -0.451, 0.807),  # alike, high
    (8.232, 0.233, 4.036),  # fits: straight, ternary, swung
    (-6.117,),  # first beat away from the start
    (0.328, -0.136, 0.986, 0.846, 0.254, 0.782),  # inside the beat, all bands
    (0.686, 0.069, -0.087, 0.391, 0.162, 0.150),  # inside, low
    (-0.188, 0.145, -0.717, -1.256, -0.197, -1.040),  # inside, middle
    (1.482, -0.068, -0.034, 0.071, 0.292, 0.147),  # inside, high
    (-0.020, -0.154),  # onsets per beat: octaves, their square
    (0.105, -1.294, 0.713),  # octaves from 110 bpm, square, cube
    (0.700, 1.010, 0.575, 1.309),  # whole beats, bars, powers of two bars, half bars
    (1.553, 2.539, 3.354, -6.081, -0.144, 6.304),  # bars of 3 or 6 beats: alike 1, 3/2, 3 beats later, all bands; low
)
WEIGHTS = np.concatenate(_ROWS)

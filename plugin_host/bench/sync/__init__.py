"""`segue bench --sync`: measures whether the music is on the host's beat, and whether it has gaps.

    engine process --ring--> processor --> recorder (what is heard, and the host's position)
                                              |
    detection: librosa's onsets, and a second onset detector --> measures --> table, JSON, pictures

No module of the engine is imported, and nothing that it corrects itself by: the recorded audio is measured.
"""

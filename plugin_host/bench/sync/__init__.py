"""`segue bench --sync`: is the music on the host's beat, and is there ever a hole?

    engine process --ring--> processor --> recorder (what was heard, and where the host was)
                                              |
    hearing: librosa's onsets, and a second ear of our own --> measures --> table, JSON, pictures

Nothing of the engine is imported, and nothing that it corrects itself by: what is measured is what was heard.
"""

"""The player's hands and feet: what a foot switch and keys ask of a jam, each as a `Press`.

switches.py     which MIDI message means which verb
foot_switch.py  messages of a MIDI port to presses
keys.py         keys of the terminal (console/keys.py) to presses
"""

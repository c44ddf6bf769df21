"""Controls of MIDI devices to parameters and commands, and notes to melodies.

controls.py   what a device can send: `cc 21`, `ch 2 note 36`, `nrpn 300`
decoder.py    mido messages to moves of controls
targets.py    what a control can reach, by the names of the message table
curves.py     a control's position to a value, and back
binding.py    one row of the map
map_file.py   the map as a TOML file
defaults.py   the map without a file
mapper.py     moves to messages: pickup, toggles, relative encoders, rate
learner.py    which control the player means
lights.py     values back to lights and motor faders
values.py     what the engine's values are, also when others change them
devices.py    MIDI ports that may go and come back
melody.py     notes to a region's audio; .mid files
send_melody.py  a melody to a lane
recording.py  notes played live
editor.py     the map while it is played: learning, its file
osc.py        the port for learning by OSC
session.py    all of it, beside a running engine
"""

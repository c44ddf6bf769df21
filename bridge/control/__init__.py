"""Control over OSC: the message table, packets, the UDP endpoint, clients, limits, presets."""

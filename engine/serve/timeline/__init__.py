"""Where music lies on the host's time: tempo curve, placement, beat map, due commands."""

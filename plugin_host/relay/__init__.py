"""`segue relay`: an engine on another machine, as if it were on this one.

    DAW, Max, plugin --OSC, rings on this machine--> relay ==TLS 1.3==> engine's machine

Reading order: run, beside, relay, connection, local_port, requests, jitter_buffer, link_clock.
"""

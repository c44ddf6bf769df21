"""Lanes for other machines: a process beside the engine, its client and host on this machine.

    engine --OSC, rings on this machine--> this process ==TLS 1.3==> `segue relay` on the musician's machine

Reading order: process, listener, session, client_socket, shift.
"""

"""`segue farm`: many engines behind one door, placed by Ray.

    relay --HELLO--> door --PLACE--> relay --audio, control--> the engine of that place
                      +--status, drain--> Ray actors, one engine each

Reading order: run, farm, engine_actor, placement, door, ask.
"""

"""Playing with Segue live: the session, its modes, its plan.

source --blocks--> session --> sink
                     |  ^
       OSC, ring     v  |  presses
                   engine
"""

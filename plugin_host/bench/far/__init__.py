"""`segue bench --far`: an engine and a musician in two network namespaces, and a wire between them that is never good.

Reading order: command, scenes, wire, player.
"""

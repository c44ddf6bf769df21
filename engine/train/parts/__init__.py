"""Training material in parts: pieces with sections, whose stems are heard alone, together, or beside each other.

Reading order: grooves (drums), arrange (sections and notes), synth and hits (sounds), effects, stems (audio of each
part), corpus (recorded and written music of others), views (which parts are heard), part_set (the command).

All of it [main].
"""

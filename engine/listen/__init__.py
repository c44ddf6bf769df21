"""Hears what was made before it is played: faults, how it sits on the beat, how loud it is. Pure; numpy alone."""

"""What a jam hears: the player alone, without Segue's own sound, without the room, at one level."""

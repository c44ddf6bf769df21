"""`segue bench`: figures of this computer."""

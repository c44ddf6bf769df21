"""`segue bench`: measures this computer."""

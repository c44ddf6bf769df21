"""A loaded model: what it is, how it is loaded by name, the embedded one, its device."""

"""Tools of the engine: argument checks, optional libraries, remembered measurements, large memory pages."""

"""A run from start to the last bar: the region's position and tempo, the performance, the report."""

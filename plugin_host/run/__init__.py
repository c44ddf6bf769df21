"""A run from go to the last bar: where the region lies, its tempo, the performance, the report."""

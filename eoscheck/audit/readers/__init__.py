"""From a topic to blocks of columns: compiled on raw batches, or as any consumer reads."""

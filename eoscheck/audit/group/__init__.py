"""A pipeline's consumer group: its offsets, and its commits."""

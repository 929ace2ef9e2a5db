"""The matrix of wire crash points: learned steps, what is done to each, what came of it."""

"""Figures that take many runs, and two of them compared (docs/measures.md)."""

"""Views of one result: HTML, terminal, JSON, and what is shown while a run goes on."""

"""A model behind HTTP: an interface for programs and a page for people, on this machine unless a token guards it."""

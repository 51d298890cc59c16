"""Monte-Carlo dropout, ensembles, and what they say about a prediction."""

"""Why a run answers as it does: maps over images, shares of modalities, gates, the space of its readouts."""

"""drifa: multimodal fusion learning on medical images with dual attention."""

__version__ = "0.1.0"

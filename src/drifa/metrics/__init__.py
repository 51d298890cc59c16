"""Arrays in, numbers out: metrics, curves and intervals. Usable for any model.

The functions of ``classification``, ``regression``, ``segmentation``, ``curves`` and ``intervals`` that bear no underscore are
stable, under their module's name; classes, and all else, may move.
"""

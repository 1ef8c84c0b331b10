"""Turns the raw Kolektor datasets into verified, reproducible MVTec-AD-style datasets.

The verbs `fetch`, `inspect`, `split`, `convert`, `verify`, `compare`, `score`, `show`, `report`,
`export` and `synthesize` do what the commands of the same names do (`synthesize` that of
``sample``) and return a frozen result; `load_tree` gives the images of a tree as arrays.

>>> import kolektor_cli as kolektor
>>> conversion = kolektor.convert("KolektorSDD", "out")
>>> kolektor.verify("out", source="KolektorSDD").ok
True
>>> [image.label for image in kolektor.load_tree("out")].count("defective")
4
"""

import lazy_loader

# The names stand in __init__.pyi, for this loader as for editors and type checkers: OpenCV and
# NumPy take their time to load, and are loaded when a name is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Small networks of the kinds that are deployed, built from code with seeded weights.

One module a kind, named as what it is. Its function ``write`` takes a ``Network``, writes the
layers that follow the image, and returns the names of the outputs. What several share is in
``blocks.py``; how each reads an image, and how its output is read, in ``models.py``.
"""

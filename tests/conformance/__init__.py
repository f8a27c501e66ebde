"""The conformance suite: families of models, built tiny, checked against a forward by hand.

    python -m tests.conformance [--workers 2] [--out FILE.json] [family ...]

A family (``family``, ``text``, ``image_a``, ``image_b``) is saved into a folder and loaded with
``calib.load_model``; each check (``scoring``, ``sampling``) compares what calib says of it with
plain transformers on one prompt (``hand``). ``records`` holds what a check yields, ``worker`` runs
one family in a process of its own, ``table`` writes docs/models.md.
"""

"""A package, so that no installed package of this name stands in for it in ``bench.gpu``."""

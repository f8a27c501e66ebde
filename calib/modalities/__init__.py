"""Image against text: how sure a model is of a picture, of a description of it, and of both.

noise -> pictures, descriptions -> cells -> contrasts -> study
"""

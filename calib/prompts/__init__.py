"""Wordings of a prompt: its parts, rewritten and searched for those that a model is honest with.

parts -> rewriters -> search (ladder, objectives, ledger) -> held_out
"""

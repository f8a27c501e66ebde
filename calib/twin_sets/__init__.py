"""Answerable questions beside twins of theirs that nobody can answer: does a model tell them apart?

ways      how a question is made unanswerable: swap, mask, remove, noun
make      a task in, a task of pairs out, and why a question has no twin
file      pairs as a file that every command loads, with their pictures
pairs     which rows of a task are a pair, of ours, of a user's file, of a published set
evaluate  every question asked once, with "I don't know" among its options -> measures, in pairs
"""

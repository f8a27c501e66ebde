"""Studies: the runs of a question, declared in a file that users copy and edit.

source -> study -> kinds -> plan -> keys -> run -> findings
"""

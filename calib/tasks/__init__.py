"""Tasks: a name, a file, a function or items in; questions in a fixed order out."""

from __future__ import annotations

from calib.tasks.load import load_task as load_task
from calib.tasks.task import Task as Task

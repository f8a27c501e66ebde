"""What an answer says: its thoughts, tags and special tokens apart."""

from __future__ import annotations

import pytest

from calib.judge.said import boxed, said, text_of, unboxed
from calib.records import Answer

HARMONY = "<|channel|>analysis<|message|>We think A<|end|><|start|>assistant"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        # thoughts
        ("<think>So C.</think>\n\nA. p", "A. p"),
        ("thoughts C</think>B", "B"),
        ("<THINK>a</THINK>B", "B"),
        ("< think >a</ think >B", "B"),
        ("<think>a<think>b</think>c</think>B", "B"),
        ("<think>a <think> b</think>B", "B"),
        ("<think>a</think>B<think>b</think>", "B"),
        ("<think></think>B", "B"),
        *[(f"<{t}>A</{t}>B", "B") for t in ("thinking", "thought", "thoughts", "reasoning")],
        *[(f"<{t}>A</{t}>B", "B") for t in ("seed:think", "reflection", "analysis")],
        ("◁think▷A◁/think▷B", "B"),
        ("[THINK]A[/THINK]B", "B"),
        ("<|channel>thought\nA<channel|>B", "B"),
        ("<|begin_of_thought|>A<|end_of_thought|><|begin_of_solution|>B<|end_of_solution|>", "B"),
        ("<|START_THINKING|>A<|END_THINKING|><|START_RESPONSE|>B<|END_RESPONSE|>", "B"),
        ("Here is my thought process: A\nHere is my response: B", "B"),
        (f"{HARMONY}<|channel|>final<|message|>B<|return|>", "B"),
        ("analysisWe think A.assistantfinalB", "B"),
        # cut off: nothing has been said
        ("<think>Option C, but wait", ""),
        ("[THINK]Option C", ""),
        ("<think>a</think><think>b", ""),
        ("<think>a <answer>B</answer> hm", ""),
        (HARMONY, ""),
        ("analysisWe think", ""),
        # answer tags
        ("<think>maybe A</think>\n<answer>B</answer>", "B"),
        ("<think>A <answer>B</answer>", "B"),
        ("<think>A</think><response>B</response>", "B"),
        ("The answer is <|begin_of_box|>B<|end_of_box|>.", "B"),
        ("<answer>A</answer> no, <answer>B</answer>", "B"),
        ("<answer>The answer is <|begin_of_box|>B<|end_of_box|></answer>", "B"),
        *[(f"<{t}>B</{t}>", "B") for t in ("final", "final_answer", "CONCLUSION", "solution")],
        ("<answer>B", "B"),
        ("<answer>B</ans", "B"),
        ("<answer>B<answer>", "B"),
        ("B</answer>", "B"),
        ("B <answer></answer>", "B"),
        ("<answer></answer>", ""),
        # special tokens
        *[(f"B{end}", "B") for end in ("<|im_end|>", "</s>", "<|eot_id|>", "<end_of_turn>")],
        ("<|im_start|>assistant\nB<|im_end|>\n<|im_start|>user\nA", "B"),
        ("<｜end▁of▁sentence｜>B<｜end▁of▁sentence｜>", "B"),
        ("<s>B</s>", "B"),
        # nothing of the kind
        *[(t, t) for t in ("x < y", " x < y ", "k[A]", "a <b> c", "a<s", "Analysis: B", "[A]", "")],
    ],
)
def test_said(text: str, answer: str) -> None:
    assert said(text) == answer
    assert text_of(Answer(text)) == text_of(text) == answer


def test_boxes() -> None:
    assert boxed("\\boxed{1} and \\boxed{\\frac{1}{2}}.") == "\\frac{1}{2}"
    assert boxed("\\boxed{cut") == "cut"
    assert boxed("{no box}") is None
    assert unboxed("$\\boxed{\\text{B}}$.", " Answer: ") == " Answer: \\text{B} ."

from collections.abc import Sequence

def simd() -> str:
    """Name of the instruction-set variant in use."""

def option_scores(
    arg0: tuple[int, int, int, int, int],
    arg1: tuple[int, bool, int, int],
    arg2: tuple[int, bool, int],
    arg3: tuple[float, int, bool],
    arg4: bool,
    arg5: tuple[int, int, int],
    arg6: tuple[int, int, int, int, int, int, int, int, int, int],
    arg7: int,
    /,
) -> None: ...
def row_stats(
    arg0: tuple[int, int, int, int, int],
    arg1: tuple[int, bool, int],
    arg2: tuple[float, int, bool],
    arg3: tuple[int, int, int],
    arg4: tuple[int, int, int, int, int, int, int, int, int],
    arg5: int,
    /,
) -> None: ...
def cross_entropy(
    arg0: tuple[int, int, int, int, int],
    arg1: tuple[int, bool, int],
    arg2: tuple[float, int, bool],
    arg3: tuple[float, float, float],
    arg4: int,
    arg5: tuple[int, int, int],
    arg6: tuple[int, int, int, int, int],
    arg7: int,
    /,
) -> None: ...
def logits_gradient(
    arg0: tuple[int, int, int, int, int],
    arg1: tuple[int, bool, int],
    arg2: tuple[float, int, bool],
    arg3: tuple[float, float, float],
    arg4: tuple[int, int, int],
    arg5: tuple[int, int, int, int],
    arg6: tuple[int, int, int],
    arg7: int,
    /,
) -> None: ...
def temperature_sweep(
    arg0: tuple[int, int, int, int, int],
    arg1: tuple[int, bool, int, int],
    arg2: tuple[int, bool, int],
    arg3: Sequence[float],
    arg4: Sequence[tuple[float, Sequence[int], Sequence[int]]],
    arg5: int,
    arg6: tuple[int, int, int],
    arg7: tuple[int, int, int, int],
    arg8: int,
    /,
) -> None: ...
def sample(
    arg0: tuple[int, int, int, int, int],
    arg1: tuple[int, bool, int],
    arg2: tuple[float, int, bool],
    arg3: tuple[int, int, bool, int, int, bool, int, int, int, float, float, bool],
    arg4: tuple[int, int, int, int, int],
    arg5: int,
    /,
) -> None: ...
def histogram_delta(
    arg0: int, arg1: int, arg2: int, arg3: int, arg4: tuple[int, int, int], arg5: int, /
) -> None: ...

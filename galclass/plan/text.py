"""A plan for people to read."""

import math

_HOUR = 3600.0
_WIDTHS = (7, 7, 9, 9, 10, 9, 6)


def lines(answer: dict) -> list[str]:
    """The plan as a table with what matters most above it."""
    head = [
        *(
            f"{what}: {answer[what]['screened']:,} screened, {answer[what]['learnt']:,} learnt from"
            for what in ("runs", "frames")
        ),
        f"files: {answer['files']:,}, {answer['files_per_run']} a run; {bytes_in_words(answer['bytes'])}; "
        f"{_hours(answer['core_hours'])} core hours; {_time(answer['wall_s'])} on {answer['cores']} cores",
        f"left: {_hours(answer['left_core_hours'])} core hours, {_time(answer['left_wall_s'])}, "
        f"{bytes_in_words(answer['left_bytes'])}",
        f"largest job: {answer['memory_mb']:,.0f} MB ({answer['memory_stage']}); longest simulation: "
        f"{_time(60 * answer['simulation_minutes'])}",
        f"rates: {answer['rates']}",
    ]
    names = ("jobs", "done", "files", "bytes", "core hours", "left", "MB")
    columns = "stage".ljust(16) + "".join(f" {name:>{width}}" for name, width in zip(names, _WIDTHS, strict=True))
    return [*head, *(f"warning: {text}" for text in answer["warnings"]), columns, *map(_row, answer["stages"])]


def _row(stage: dict) -> str:
    hours = [_hours(stage[name] / _HOUR) for name in ("core_s", "left_core_s")]
    values = *(f"{stage[name]:,}" for name in ("jobs", "done", "files")), bytes_in_words(stage["bytes"]), *hours
    cells = zip((*values, f"{stage['memory_mb']:.0f}"), _WIDTHS, strict=True)
    return stage["stage"].ljust(16) + "".join(f" {value:>{width}}" for value, width in cells)


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}" if hours >= 0.1 else f"{hours:.4f}"


def bytes_in_words(number: float) -> str:
    """A size on disk in the largest unit that leaves a digit before the point."""
    power = min(4, int(math.log10(max(number, 1)) / 3))
    return f"{number / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def _time(seconds: float) -> str:
    """A span of time in the unit that suits it."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"

"""Pages: how their templates are rendered, and how numbers stand in them.

All text from data is escaped by Jinja (autoescape). By their content security policies the templates forbid
requests, and scripts too, but for the one of the study's report, which is allowed by its hash.
"""

from __future__ import annotations

import math
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dilemmas.resources import folder


def render(template: str, **variables: Any) -> str:
    """One page of `templates/report/` as HTML."""
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folder("templates") / "report"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number, p=p_value, share=share, interval=interval, share_interval=share_interval, signed=signed
    )
    return environment.get_template(template).render(**variables)


def number(x: Any, digits: int = 2) -> str:
    """A number with a fixed number of decimals; a dash where it is missing."""
    return "–" if not known(x) else f"{round(float(x), digits) + 0.0:.{digits}f}".replace("-", "−")


def signed(x: Any, digits: int = 3) -> str:
    """A number with its sign; what rounds to zero has none."""
    return number(x, digits) if not known(x) or round(float(x), digits) <= 0 else f"+{number(x, digits)}"


def interval(found: dict[str, Any], digits: int = 2) -> str:
    """`[low, high]`, or a dash."""
    low, high = found.get("low"), found.get("high")
    return f"[{number(low, digits)}, {number(high, digits)}]" if known(low) and known(high) else "–"


def share_interval(found: dict[str, Any]) -> str:
    """`[low, high]` in percent, or a dash."""
    percent = {end: 100 * found[end] for end in ("low", "high") if known(found.get(end))}
    return f"{interval(percent, 0)} %" if len(percent) == 2 else "–"


def p_value(x: Any) -> str:
    """A p-value to three decimals."""
    if not known(x):
        return "–"
    return "< .001" if x < 0.001 else f"{float(x):.3f}".lstrip("0") if x < 0.9995 else "1"


def share(x: Any, digits: int = 0) -> str:
    """A share in percent."""
    return "–" if not known(x) else f"{number(100 * float(x), digits)} %"


def known(x: Any) -> bool:
    """Whether something is a number and not missing."""
    return isinstance(x, int | float) and not math.isnan(x)

"""What a study of a given size can find: smallest detectable deltas and power, before a model is asked.

    spread       how much paired differences vary: `TYPICAL`, or `measured` in a run
    closed       minimum detectable delta and power from that and the study's size, in seconds
    simulated    power by drawing studies from known truths and testing each

A delta is tested as `significance.compare` does it: by t with one degree of freedom less than there are values.
"""

from dilemmas.power.closed import UNDETECTABLE, Size, closed_form, detectable, power_of
from dilemmas.power.simulated import simulated
from dilemmas.power.spread import TYPICAL, Spread, linearised, measured, variance

__all__ = [
    "TYPICAL", "UNDETECTABLE", "Size", "Spread", "closed_form", "detectable", "linearised", "measured", "power_of",
    "simulated", "variance",
]  # fmt: skip

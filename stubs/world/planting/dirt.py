"""How carelessly the sources keep their records: levels of dirt, as shares of each source's records.

No such figures of Vietnamese systems were found. Two studies elsewhere bound what is likely. Hospital records
in England lack or miss the sex and birth date of the national demographic service in 0.11 % of cases, the
postcode in 53 % (BMC Medical Research Methodology 17:23, 2017). What one cohort of families stated at two
times differs, real changes included, in 18 % of surnames and 12 % of forenames (International Journal of
Population Data Science, article 2389). A share without a reason beside it is an assumption between those.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dirt:
    """How many of the errors of `plants` there are, and what carelessness adds to them.

    A record may suffer from several. Lives are the same at every level, and so is what grows stale of them.

    Attributes:
        planted: times the shares of `plants`.
        tcvn3: names in TCVN3, of the older half of tax records; letters betray it in about half of those.
        no_number: state no identifier at all.
        mistyped_number: state a personal number in which one digit is wrong or two have changed places.
        relatives_number: state the personal number of husband, wife or a parent: one of the family fills in
            the form of another.
        names_out_of_order: have họ and tên exchanged, as forms made for other languages ask for them.
        accents_lost: names typed without accents, on a keyboard without Vietnamese input.
        tones_confused: names with hỏi and ngã exchanged, which southern and central speakers pronounce alike.
        year_alone: birth dates cut down to the year, at sources that keep such dates.
        former_codes: portal addresses of today under a commune code from before July 2025.
    """

    planted: float = 1
    tcvn3: float = 0.2
    no_number: float = 0
    mistyped_number: float = 0
    relatives_number: float = 0
    names_out_of_order: float = 0
    accents_lost: float = 0
    tones_confused: float = 0
    year_alone: float = 0
    former_codes: float = 0


LIGHT = Dirt(planted=0.25, tcvn3=0.05)
USUAL = Dirt()
HEAVY = Dirt(
    planted=3,
    tcvn3=0.6,
    no_number=0.06,
    mistyped_number=0.03,
    relatives_number=0.004,
    names_out_of_order=0.005,
    accents_lost=0.25,
    tones_confused=0.05,
    year_alone=0.08,
    former_codes=0.3,  # the former codes stay in use for as long as the papers that show them
)
LEVELS = {"light": LIGHT, "usual": USUAL, "heavy": HEAVY}

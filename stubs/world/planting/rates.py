"""How often what is planted: every rate of the simulated world that makes work for the hub stands here."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Plant(IntEnum):
    """What was done to a record on purpose; a record carries at most one."""

    NONE = 0
    BIRTH_SWAPPED = 1
    WRONG_SEX = 2
    MISTYPED_NAME = 3
    NATIONAL_ID_ONLY = 4
    NO_NUMBER = 5
    DUPLICATE = 6
    WRONG_PERSON = 7
    TAX_CODE_ONLY = 8
    UNAWARE_OF_DEATH = 9
    IMPOSSIBLE_BIRTH = 10


class Fault(IntEnum):
    """How a record breaks its contract."""

    NONE = 0
    WRONG_TYPE = 1
    IMPOSSIBLE_DATE = 2
    MISSING_NAME = 3
    CHECK_DIGIT = 4


FAULT_NAMES: Final = {
    Fault.WRONG_TYPE: "wrong_type",
    Fault.IMPOSSIBLE_DATE: "impossible_date",
    Fault.MISSING_NAME: "missing_name",
    Fault.CHECK_DIGIT: "check_digit",
}

# Shares of a source's records.
BIRTH_SWAPPED: Final = 0.005
WRONG_SEX: Final = 0.004
MISTYPED_NAME: Final = 0.007
IMPOSSIBLE_BIRTH: Final = 0.002
NATIONAL_ID_ONLY: Final = 0.02
NO_NUMBER: Final = 0.01
DUPLICATE: Final = 0.006
WRONG_PERSON: Final = 0.004
TAX_CODE_ONLY: Final = 0.02
BROKEN: Final = 0.002
DELETED: Final = 0.005
DELETED_CITIZENS: Final = 0.002

# Of the records of the dead: those whose keeper knows, and those closed for another reason.
AWARE_OF_DEATH: Final = 0.65
CLOSED_BEFORE_DEATH: Final = 0.08

# Life before the world's first day.
DEAD: Final = 0.02
MISSING_PERSONS: Final = 0.0005
MOVES_PER_YEAR: Final = 0.03
PHONE_CHANGES_PER_YEAR: Final = 0.04
REISSUED: Final = 0.01
FORMER_COMMUNES: Final = 0.17  # of those who have not moved since the communes changed: 15 % of all

# Two people with nothing in common: how far their folded names must be apart (letters), and births (years).
UNLIKE_NAME: Final = 6
UNLIKE_BIRTH_YEARS: Final = 2

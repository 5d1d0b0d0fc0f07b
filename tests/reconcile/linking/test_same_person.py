"""A record that states a person's number links only if it describes this person, and is a case otherwise."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest


class Pair(NamedTuple):
    """A register's person and a record that states the person's number: (name, birth date, sex) of each."""

    known: str
    stated: str

    def columns(self, side: str) -> dict[str, str | None]:
        name, birth_date, sex = (each.strip() for each in side.split("|"))
        return {
            "full_name": name or None,
            "birth_date": birth_date or None,
            "sex": {"m": "male", "f": "female", "": None}[sex],
        }


TOAN = "Nguyễn Văn Toàn | 1955-02-03 | m"
ANH = "Trần Minh Anh | 1984-05-07 | f"
LAN = "Lê Thị Lan | 1990-11-20 | f"
HEN = "H'Hen Niê | 1992-05-15 | f"
MARY = "Mary Ann Johnson | 1971-08-30 | f"
JOHN = "John Smith | 1980-10-25 | m"

SAME = [
    # Another form of the same name
    Pair(TOAN, "NGUYEN VAN TOAN | |"),
    Pair(TOAN, "Nguyễn Văn Toàn | 1955 | m"),
    Pair(TOAN, "Toàn Nguyễn Văn | 1955-02-03 | m"),
    Pair(TOAN, "Ng. V. Toàn | 1955-02-03 | m"),
    Pair(TOAN, "NGUYEN TOAN | |"),
    Pair("Trần Thị Thu Hà | 1991-06-12 | f", "TRAN T. T. HA | 1991 |"),
    Pair("Đỗ Hoà | 1970-03-04 | m", "Đỗ Hòa | | m"),
    Pair("Võ Thị Mỹ | 1988-01-02 | f", "Vo Thi My | | f"),
    Pair("Nguyễn Thị Nguyễn | 1977-07-17 | f", "NGUYEN THI NGUYEN | |"),
    Pair(HEN, "H HEN NIE | 1992 |"),
    Pair("Y Ban Niê | 1985-02-11 | m", "Niê Y Ban | 1985-02-11 | m"),
    Pair("K'Sor H'Lan | 1979-09-09 | f", "KSOR H LAN | |"),
    Pair(JOHN, "Smith John | | m"),
    Pair(MARY, "Mary A Johnson | |"),
    Pair("María José García | 1966-12-01 | f", "GARCIA MARIA JOSE | 1966-12-01 |"),
    # A slip of the pen
    Pair(TOAN, "Nguyễn Văn Toànn | 1955-02-03 | m"),
    Pair(TOAN, "Nguyễn Văn Taon | 1955 |"),
    Pair(TOAN, "Ngyuễn Văn Toàn | |"),
    Pair(TOAN, "Ngyuễn Van Toan | |"),
    # ... in a family name that has the letters of the given name, and another mark
    Pair("Nguyễn Hữu Nguyên | 2002-11-23 | m", "Nguyn Hữu Nguyên | |"),
    Pair("Lê Thị Lệ | 1977-07-17 | f", "Lêe Thị Lệ | |"),
    Pair("Nông Bá Nghĩa | 1977-07-17 | m", "Nng Bá Nghĩa | |"),
    Pair("Hoàng Văn Dũng | 1969-04-14 | m", "Hoàng Văn Dủng | |"),
    Pair("Hoàng Văn Hưng | 1969-04-14 | m", "Hoàng Văn Hùng | 1969-04-14 | m"),
    Pair(LAN, "Lê Thị Lna | |"),
    Pair(LAN, "Lê Thị Loan | 1990-11-20 | f"),
    Pair("Phạm Văn Hùng | 1969-04-14 | m", "PHAN VAN HUNG | 1969 |"),
    Pair("Christopher Anderson | 1973-01-31 | m", "Cristopher Andersen | 1973-01-31 | m"),
    Pair("Hoàng Hữu Tín | 1969-04-14 | m", "HOÀNG HỮU TAN | 1969-04-14 | m"),
    Pair("Hoàng Hữu Khoa | 1969-04-14 | m", "HOANG HUU HOA | 1969-04-14 |"),
    Pair(JOHN, "Jon Smith | 1980-10-25 | m"),
    # A birth date mistyped, incomplete or impossible
    Pair(ANH, "Trần Minh Anh | 1984-07-05 | f"),
    Pair(ANH, "Trần Minh Anh | 1984-05-17 | f"),
    Pair(ANH, "Trần Minh Anh | 1985-05-07 | f"),
    Pair(ANH, "Trần Minh Anh | 1984-01-01 | f"),
    Pair(ANH, "Trần Minh Anh | 1985 | f"),
    Pair(ANH, "Trần Minh Anh | 1884-05-07 | f"),
    Pair(ANH, "Trần Minh Anh | 2084-05-07 | f"),
    # Another sex, and all else equal
    Pair(ANH, "Trần Minh Anh | 1984-05-07 | m"),
    Pair(ANH, "TRAN MINH ANH | | m"),
    # Another family name after a marriage, another middle name
    Pair(MARY, "Mary Ann Miller | 1971-08-30 | f"),
    Pair(MARY, "Mary Ann Johnson Miller | 1971-08-30 | f"),
    Pair(LAN, "Phạm Thị Lan | 1990-11-20 | f"),
    Pair(ANH, "Trần Duy Anh | 1984-05-07 | f"),
    # Nothing else is stated
    Pair(ANH, " | |"),
]

ANOTHER = [
    # Strangers with a similar name
    Pair(TOAN, "Nguyễn Bá Sơn | 1953 |"),
    Pair(TOAN, "NGUYEN BA SON | |"),
    Pair(TOAN, "Trần Văn Toàn | 1961-07-08 | m"),
    Pair(TOAN, "Trần Văn Toàn | |"),
    Pair(TOAN, "Nguyễn Văn Toán | 1961-07-08 | m"),
    Pair(TOAN, "Nguyễn Thị Toàn | | f"),
    Pair("Phạm Văn Hùng | 1969-04-14 | m", "PHAN VAN HUNG | |"),
    Pair(JOHN, "Joan Smith | | f"),
    Pair("Nguyễn Văn Sơn | 1955-02-03 | m", "Sơn Văn Nam | 1955-02-03 | m"),
    # Siblings: family and middle name are the same
    Pair(TOAN, "Nguyễn Văn Tú | 1957-06-01 | m"),
    Pair(TOAN, "Nguyễn Văn Tú | |"),
    Pair(TOAN, "NGUYEN VAN HOAN | 1957-06-01 |"),
    Pair("Hoàng Văn Hưng | 1969-04-14 | m", "Hoàng Văn Hùng | |"),
    Pair("Hoàng Văn Hưng | 1969-04-14 | m", "Hoàng Văn Hùng | 1971-02-01 | m"),
    Pair(LAN, "Lê Thị Loan | 1993-04-02 | f"),
    Pair(LAN, "Lê Thị Loan | |"),
    Pair(ANH, "Trần Anh Minh | 1986-03-09 | f"),
    Pair(HEN, "H'Bia Niê | 1994-10-02 | f"),
    Pair(JOHN, "James Smith | |"),
    Pair("Gloria Rosa Roldan | 1962-02-02 | f", "Eric R Roldan | | m"),
    # Twins: the birth date, too
    Pair(TOAN, "Nguyễn Văn Tú | 1955-02-03 | m"),
    Pair(TOAN, "Nguyễn Thị Thu | 1955-02-03 | f"),
    Pair(ANH, "Trần Minh Ngọc | 1984-05-07 | f"),
    Pair(ANH, "Trần Anh Minh | 1984-05-07 | f"),
    Pair("Hoàng Văn Hùng | 1969-04-14 | m", "Hoàng Văn Dũng | 1969-04-14 | m"),
    Pair("Hoàng Văn Hùng | 1969-04-14 | m", "HOANG VAN DUNG | 1969-04-14 |"),
    Pair("Hoàng Văn Tuấn | 1969-04-14 | m", "Hoàng Văn Toàn | 1969-04-14 | m"),
    Pair(ANH, "TRAN MINH CHAU | 1984 |"),
    Pair("Hoàng Văn Long | 1969-04-14 | m", "Hoàng Thị Loan | 1969-04-14 | f"),
    Pair("Lò Văn Páo | 1981-01-18 | m", "Lò Văn Dính | 1981-01-18 | m"),
    Pair(HEN, "H'Bia Niê | 1992-05-15 | f"),
    Pair("Y Ban Niê | 1985-02-11 | m", "Y Thịnh Niê | 1985-02-11 | m"),
    Pair("K'Sor H'Lan | 1979-09-09 | f", "K'Sor H'Nga | 1979-09-09 | f"),
    Pair(JOHN, "Jane Smith | 1980-10-25 | f"),
    Pair(JOHN, "Peter Smith | 1980-10-25 | m"),
    Pair("Eric Diaz | 1998-03-05 | m", "Erica Diaz | 1998-03-05 | f"),
    Pair("Nguyễn Thị Jenny | 2001-06-16 | f", "Nguyễn Thị Kelly | 2001-06-16 | f"),
    Pair("Kim Smith | 1999-09-19 | f", "Anna Smith | 1999-09-19 | f"),
    # Father and son, and others of the same name
    Pair(TOAN, "Nguyễn Văn Toàn | 1983-09-14 | m"),
    Pair(TOAN, "Nguyễn Văn Toàn | 1985-02-03 | m"),
    Pair(TOAN, "Nguyễn Văn Toàn | 1984 | m"),
    Pair(TOAN, "NGUYEN TOAN | 1955-11-28 |"),
    Pair(ANH, "Trần Minh Anh | 1984-12-25 | f"),
    Pair(ANH, "Trần Minh Anh | 1984-05-17 | m"),
    Pair(JOHN, "John Smith | 2009-01-06 | m"),
    Pair("John Carl Smith | 1950-10-25 | m", "John B Smith | |"),
    # Too little to tell
    Pair(TOAN, "Toàn | |"),
    Pair(ANH, " | 1991-02-02 |"),
]


@pytest.fixture(scope="module")
def outcome(new_hub: Any) -> dict[Pair, str]:
    """How each record ends in one run: the method of its link, or the kind of its case."""
    hub, pairs = new_hub("same_person"), [*SAME, *ANOTHER]
    for number, pair in enumerate(pairs):
        personal_id = f"001184{number:06}"
        hub.state("population", f"CD{number}", personal_id=personal_id, **pair.columns(pair.known))
        hub.state("portal", f"TK{number}", personal_id=personal_id, **pair.columns(pair.stated))
    hub.reconcile()
    linked = {key: method for (_, key), method in hub.links().items()}
    cases = hub.rows("select source_key, kind from truth.case_file where closed_at is null")
    asked = {case["source_key"]: case["kind"] for case in cases}
    assert not linked.keys() & asked.keys()
    return {pair: (linked | asked)[f"TK{number}"] for number, pair in enumerate(pairs)}


def test_a_record_of_the_same_person_links(outcome: dict[Pair, str]) -> None:
    assert [pair for pair in SAME if outcome[pair] != "personal_id"] == []


def test_a_record_of_another_person_links_nobody_and_is_a_case(outcome: dict[Pair, str]) -> None:
    assert [pair for pair in ANOTHER if outcome[pair] != "wrong_person"] == []

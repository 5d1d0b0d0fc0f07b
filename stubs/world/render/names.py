"""Phones, names, numbers and e-mail addresses in the forms that the systems use."""

from __future__ import annotations

import numpy as np
import polars as pl

from stubs.world.people.lexicon import join_words, lexicon
from stubs.world.table import Array, Table

_MAIL_HOSTS = ("thu.example", "hopthu.example", "mail.example")


def padded(numbers: Array, digits: int, prefix: str = "", *, missing: Array | None = None) -> pl.Series:
    """Numbers as text of at least `digits` digits after `prefix`; null where `missing`."""
    text = prefix + pl.Series(np.maximum(numbers, 0), dtype=pl.Int64).cast(pl.String).str.zfill(digits)
    return text if missing is None else blank(text, missing)


def blank(values: pl.Series, missing: Array) -> pl.Series:
    """The values, null where `missing`."""
    # zip_with keeps the type of the left side, struct or list.
    nothing = (
        pl.Series([None], dtype=values.dtype).extend_constant(None, max(0, len(values) - 1)).head(len(values))
    )
    return values.zip_with(pl.Series(~missing.astype(bool)), nothing)


def lists_of(owner: Array, items: pl.DataFrame, count: int) -> pl.Series:
    """For each row below `count` the list of the items it owns, as structs in their order."""
    each = items.select(owner=pl.Series(owner), item=pl.struct(pl.all()))
    lists = each.group_by("owner", maintain_order=True).agg("item")
    rows = pl.DataFrame({"owner": np.arange(count)}).join(
        lists, on="owner", how="left", maintain_order="left"
    )
    return rows["item"].fill_null(pl.Series([[]], dtype=rows["item"].dtype))


def choose(choice: Array, options: list[pl.Series]) -> pl.Series:
    """For each row the option that `choice` (0, 1, ...) names."""
    frame = pl.DataFrame({f"{i}": option for i, option in enumerate(options)} | {"choice": pl.Series(choice)})
    picks = [pl.when(pl.col("choice") == i).then(f"{i}") for i in range(len(options))]
    return frame.select(pl.coalesce(picks)).to_series()


def digit(form: Array, place: int, base: int) -> Array:
    """One of several independent small choices that a record's `form` holds: the `place`-th, below `base`."""
    mixed = (form.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(4 * place)
    return ((mixed & np.uint64(0xFFFFFFFF)) % np.uint64(base)).astype(np.int64)


def typed_name(table: Table) -> pl.Series:
    """A full name as people type it: any case, old or new tone place, composed or not, a space too many."""
    form = table["form"]
    case = np.array([0, 0, 0, 0, 1, 1, 2])[digit(form, 0, 7)]
    moved, decomposed = digit(form, 1, 2), (digit(form, 2, 5) == 0).astype(np.int64)
    name = join_words(
        *(lexicon().typed(table[part], case, moved, decomposed) for part in ("ho", "dem", "ten"))
    )
    spaced = [name, name.str.replace_all(" ", "  "), " " + name, name + " "]
    return choose(np.array([0, 0, 0, 0, 0, 1, 2, 3])[digit(form, 3, 8)], spaced)


def typed_phone(table: Table) -> pl.Series:
    """`0912345678`, `+84 912 345 678`, `0912.345.678` or `84912345678`; null when none is stated."""
    bare = padded(table["phone"], 9)
    parts = [bare.str.slice(start, 3) for start in (0, 3, 6)]
    international = "+84 " + parts[0] + " " + parts[1] + " " + parts[2]
    dotted = "0" + parts[0] + "." + parts[1] + "." + parts[2]
    kind = np.array([0, 0, 0, 1, 2, 3])[digit(table["form"], 4, 6)]
    return blank(choose(kind, ["0" + bare, international, dotted, "84" + bare]), table["phone"] == 0)


def mail(table: Table, *, mixed_case: bool = False) -> pl.Series:
    """An e-mail address that stays the person's own for life; null when none is stated."""
    person = np.maximum(table["person"], 0)
    host = pl.Series(_MAIL_HOSTS).gather(pl.Series(person % len(_MAIL_HOSTS)))
    number = pl.Series(person).cast(pl.String)
    word = lexicon().spell(table["mail"], "folded").str.replace_all("[ ']", "")
    other = (
        lexicon().spell(table["mail"], "plain").str.len_chars()
    )  # keeps addresses apart that share word and person
    address = word + "." + number + other.cast(pl.String) + "@" + host
    if mixed_case:
        capital = digit(table["form"], 5, 3) == 0
        address = choose(capital.astype(np.int64), [address, address.str.to_titlecase()])
    return blank(address, table["mail"] < 0)

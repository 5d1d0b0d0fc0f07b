"""What is planted in pages does what its description says."""

from collections import Counter
from itertools import islice

import pytest

from stubs.hostile.plants.paging import SURPLUS

from ..hostile_reading import with_plant

PEOPLE = 100
PAGE = 20


@pytest.fixture
def planted(hostile):
    """A source that asks for no credentials, with one plant, and its reader."""
    return lambda plant, **variant: with_plant(hostile(people=PEOPLE, auth="none", **variant), plant)


def keys(reader, answers):
    return [record["maSo"] for answer in answers for record in reader.records(answer)]


def read_keys(reader):
    return keys(reader, reader.pages(limit=PAGE))


def truth(source):
    return [record["maSo"] for record in source.records()]


TOKENS = ["cursor", "next_url", "link"]


@pytest.mark.parametrize("pages", TOKENS)
def test_the_second_page_repeats_itself(planted, pages):
    _, reader = planted("repeated_token", pages=pages)
    first, second, third, fourth = (reader.records(page) for page in islice(reader.pages(limit=PAGE), 4))
    assert first != second == third == fourth


@pytest.mark.parametrize("pages", TOKENS)
def test_the_pages_go_in_a_circle_of_three(planted, pages):
    _, reader = planted("circling_token", pages=pages)
    read = [reader.records(page) for page in islice(reader.pages(limit=PAGE), 7)]
    assert read[:3] == read[3:6]
    assert read[6] == read[0]
    assert len({page[0]["maSo"] for page in read}) == 3


@pytest.mark.parametrize("pages", ["next_url", "link"])
def test_the_next_page_is_said_to_be_on_another_host(planted, pages):
    source, reader = planted("next_elsewhere", pages=pages)
    first, second = islice(reader.pages(limit=PAGE), 2)
    target, _ = reader.following(first, PAGE, 1)
    assert not target.startswith(source.connection["host"])
    assert reader.records(second) == []
    assert [asked.path for asked in source.strayed()] == ["/holders"]


@pytest.mark.parametrize("total", ["body", "header"])
def test_the_total_promises_more_than_there_is(planted, total):
    source, reader = planted("promises_more", total=total)
    answers = list(reader.pages(limit=PAGE))
    assert {reader.total(answer) for answer in answers} == {PEOPLE + SURPLUS}
    assert sorted(keys(reader, answers)) == truth(source)


@pytest.mark.parametrize("pages", ["number", "cursor"])
def test_the_total_shrinks_though_nothing_goes(planted, pages):
    source, reader = planted("shrinking_total", pages=pages)
    answers = [answer for answer in reader.pages(limit=PAGE) if reader.records(answer)]
    assert [reader.total(answer) for answer in answers] == [100, 99, 98, 97, 96]
    assert sorted(keys(reader, answers)) == truth(source)


def test_a_short_page_counts_what_it_leaves_out(planted):
    source, reader = planted("short_page", count=True)
    answers = list(reader.pages(limit=PAGE))
    assert [len(reader.records(answer)) for answer in answers] == [20, 19, 20, 20, 20]
    assert {reader.fact(answer, "count") for answer in answers} == {20}
    assert len(set(truth(source)) - set(keys(reader, answers))) == 1


@pytest.mark.parametrize("pages", TOKENS)
def test_a_page_announces_more_without_saying_where(planted, pages):
    _, reader = planted("more_without_token", more=True, pages=pages)
    answers = list(reader.pages(limit=PAGE))
    assert [reader.fact(answer, "more") for answer in answers] == [True, True]
    assert len(keys(reader, answers)) == 2 * PAGE


@pytest.mark.parametrize("pages", ["number", "offset"])
def test_an_unstable_order_loses_and_doubles_records(planted, pages):
    source, reader = planted("unstable_order", pages=pages)
    read = read_keys(reader)
    assert len(read) == PEOPLE
    assert max(Counter(read).values()) > 1
    assert set(read) < set(truth(source))


@pytest.mark.parametrize("pages", ["number", "cursor", "link"])
def test_overlapping_pages_lose_nothing(planted, pages):
    source, reader = planted("overlapping_pages", pages=pages)
    read = read_keys(reader)
    assert set(read) == set(truth(source))
    assert len(read) == PEOPLE + PEOPLE // PAGE - 1


@pytest.mark.parametrize("pages", ["number", "offset", "cursor", "next_url", "link"])
def test_capped_pages_lose_nothing(planted, pages):
    source, reader = planted("capped_page", pages=pages)
    answers = list(reader.pages(limit=PAGE))
    assert max(len(reader.records(answer)) for answer in answers) == PAGE // 2
    assert sorted(keys(reader, answers)) == truth(source)

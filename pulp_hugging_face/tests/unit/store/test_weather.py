"""When an upstream counts as in trouble, and when it is asked behind the answers."""

import pytest

from pulp_hugging_face.hub.errors import (
    Trouble,
    UpstreamBusy,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from pulp_hugging_face.hub.names import RepoId, RepoType
from pulp_hugging_face.store.weather import FIRST_PAUSE, HOLD, LONGEST_PAUSE, Weather
from pulp_hugging_face.upstream.config import RemoteConfig

HUB = RemoteConfig("1", "https://hub.example")
A, B, C = (RepoId(RepoType.MODEL, f"org/{name}") for name in "abc")
DOWN = UpstreamUnavailable("down")
# The pauses vary by a fifth.
MORE = 1.25


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def weather(clock: Clock) -> Weather:
    return Weather(clock)


def questions(weather: Weather, clock: Clock, subject: RepoId, seconds: float) -> list[float]:
    """When a crowd of clients lets the upstream be asked behind their answers."""
    asked, end = [], clock.now + seconds
    while clock.now < end:
        if weather.is_time(HUB, subject):
            asked.append(clock.now)
            weather.bad(HUB, subject, DOWN)
        clock.now += 0.05
    return asked


def test_it_is_good_until_something_happens(weather: Weather) -> None:
    assert not weather.is_bad(HUB, A)
    assert not weather.is_time(HUB, A)
    weather.good(HUB, A)
    assert not weather.is_bad(HUB, A)


@pytest.mark.parametrize(
    "error", [DOWN, UpstreamTimeout("slow"), UpstreamInvalid("html")], ids=lambda e: e.code
)
def test_trouble_of_one_repository_is_its_own(weather: Weather, error: Trouble) -> None:
    for _ in range(3):
        weather.bad(HUB, A, error)
    assert weather.is_bad(HUB, A) and not weather.is_bad(HUB, B)
    weather.good(HUB, B)
    assert weather.is_bad(HUB, A)
    weather.good(HUB, A)
    assert not weather.is_bad(HUB, A)


def test_trouble_of_two_is_everybodys_until_one_is_answered(weather: Weather) -> None:
    weather.bad(HUB, A, DOWN)
    weather.bad(HUB, B, DOWN)
    assert all(weather.is_bad(HUB, repo) for repo in (A, B, C))
    weather.good(HUB, C)
    assert not any(weather.is_bad(HUB, repo) for repo in (A, B, C))


def test_something_good_in_between_makes_them_two_single_ones(weather: Weather) -> None:
    weather.bad(HUB, A, DOWN)
    weather.good(HUB, C)
    weather.bad(HUB, B, DOWN)
    assert weather.is_bad(HUB, A) and weather.is_bad(HUB, B) and not weather.is_bad(HUB, C)


def test_a_rate_limit_is_everybodys_at_once_and_lasts_as_long_as_it_says(
    weather: Weather, clock: Clock
) -> None:
    weather.bad(HUB, A, UpstreamBusy("slow down", retry_after=120))
    assert weather.is_bad(HUB, B)
    clock.now += 119
    assert weather.is_bad(HUB, B) and not weather.is_time(HUB, B)
    clock.now += 2
    assert weather.is_time(HUB, B)


def test_a_limit_of_files_is_none_of_questions(weather: Weather) -> None:
    weather.bad(HUB, A, UpstreamBusy("slow down", bucket="resolvers"))
    assert weather.is_bad(HUB, A) and not weather.is_bad(HUB, B)


def test_a_changed_remote_starts_anew(weather: Weather) -> None:
    for repo in (A, B):
        weather.bad(HUB, repo, DOWN)
    assert not weather.is_bad(RemoteConfig("1", "https://other.example"), A)


def test_it_is_asked_behind_at_growing_intervals(weather: Weather, clock: Clock) -> None:
    for repo in (A, B):
        weather.bad(HUB, repo, DOWN)
    start = clock.now
    asked = questions(weather, clock, C, 300)
    gaps = [after - before for before, after in zip([start, *asked], asked, strict=False)]
    assert gaps[0] < FIRST_PAUSE * MORE + 0.1
    assert all(gap < 1.5 * LONGEST_PAUSE * MORE + 0.1 for gap in gaps)
    assert gaps[-1] > LONGEST_PAUSE / MORE
    assert 8 < len(asked) < 25


def test_whose_trouble_it_is_lets_others_ask_first(weather: Weather, clock: Clock) -> None:
    for repo in (A, B):
        weather.bad(HUB, repo, DOWN)
    clock.now += FIRST_PAUSE * MORE
    assert not weather.is_time(HUB, A)
    assert weather.is_time(HUB, C)
    assert not weather.is_time(HUB, C)


def test_alone_it_asks_all_the_same(weather: Weather, clock: Clock) -> None:
    weather.bad(HUB, A, DOWN)
    assert questions(weather, clock, A, 10)


def test_trouble_nobody_met_again_is_forgotten(weather: Weather, clock: Clock) -> None:
    for repo in (A, B):
        weather.bad(HUB, repo, DOWN)
    clock.now += HOLD + FIRST_PAUSE * MORE
    assert not any(weather.is_bad(HUB, repo) for repo in (A, B, C))

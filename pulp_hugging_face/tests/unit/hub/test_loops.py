"""CDN-Loop (RFC 8586)."""

from hypothesis import given
from hypothesis import strategies as st

from pulp_hugging_face.hub.loops import Passage


def test_who_was_here_is_counted_by_name_whatever_its_parameters():
    passage = Passage.of("me", ["me, other;v=1", "me ; a=b, menace"])
    assert passage.times == 2
    assert passage.onward == "me, other;v=1, me ; a=b, menace, me"


def test_what_nobody_asked_for_has_no_mark():
    assert Passage().onward == ""
    assert Passage().times == 0


def test_a_request_that_came_straight_is_marked():
    assert Passage.of("me", []).onward == "me"


def test_a_list_does_not_grow_for_ever():
    passage = Passage.of("me", ["x, " * 1000 + "me"])
    assert len(passage.before) == 32
    assert passage.times == 1


@given(st.lists(st.text()))
def test_whatever_is_said_it_is_a_header_afterwards(values):
    onward = Passage.of("me", values).onward
    assert onward.isascii() and onward.replace("\t", " ").isprintable()
    assert Passage.of("me", [onward]).times >= 1

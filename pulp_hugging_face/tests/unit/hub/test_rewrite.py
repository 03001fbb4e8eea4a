"""Addresses of the upstream become ours, those of its storage disappear (§2.5, §6)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_hugging_face.hub.rewrite import Rewriter

E = "http://cache.test:24816/pulp/content/huggingface"
HUB = Rewriter("https://huggingface.co", E, ("*.huggingface.co", "*.hf.co"))
FIXTURE = Rewriter("http://127.0.0.1:8000", E, ("127.0.0.2",))
CHAIN = Rewriter("http://up.test/pulp/content/hf", E, ())


@pytest.mark.parametrize(
    ("rewriter", "before", "after"),
    [
        (HUB, "https://huggingface.co", E),
        (HUB, "https://huggingface.co/org/x?y#z", f"{E}/org/x?y#z"),
        (HUB, "http://HuggingFace.co/org/x", f"{E}/org/x"),
        (HUB, "https://hf.co/org/x", f"{E}/org/x"),
        (HUB, "see (https://huggingface.co/a/b) and more", f"see ({E}/a/b) and more"),
        (HUB, "https://huggingface.company/x", "https://huggingface.company/x"),
        (HUB, "https://huggingface.co.evil.test/x", "https://huggingface.co.evil.test/x"),
        (HUB, "https://huggingface.co@evil.test/x", "https://huggingface.co@evil.test/x"),
        (HUB, "https://cdn-lfs.hf.co/x?sig=1", None),
        (HUB, "see https://cdn-lfs.hf.co/x?sig=1 there", "see  there"),
        (HUB, "https://arxiv.org/abs/1", "https://arxiv.org/abs/1"),
        (HUB, "no address: //", "no address: //"),
        (FIXTURE, "http://127.0.0.1:8000/api/x", f"{E}/api/x"),
        (FIXTURE, "http://127.0.0.1:80001/api/x", "http://127.0.0.1:80001/api/x"),
        (FIXTURE, "http://127.0.0.2:9/avatar.png", None),
        (CHAIN, "http://up.test/pulp/content/hf/api/x", f"{E}/api/x"),
        (CHAIN, "http://up.test/pulp/content/hf2/x", "http://up.test/pulp/content/hf2/x"),
    ],
)
def test_a_string(rewriter: Rewriter, before: str, after: str | None) -> None:
    assert rewriter.data({"k": [before]}) == {"k": [after]}


def test_xet_hints_are_dropped_or_nothing() -> None:
    item = {"path": "x", "xetHash": "ab" * 32, "n": [1, None, True, {"xetEnabled": True}]}
    assert HUB.data(item) == {"path": "x", "n": [1, None, True, {}]}
    bucket = Rewriter("https://huggingface.co", E, null_xet=True)
    assert bucket.data([item])[0] == {"path": "x", "xetHash": None, "n": [1, None, True, {}]}


@pytest.mark.parametrize(
    ("rewriter", "header", "link"),
    [
        (HUB, '<https://huggingface.co/api/models?cursor=a>; rel="next"',
         f'<{E}/api/models?cursor=a>; rel="next"'),
        (HUB, '</api/models?cursor=a>; rel="next"', f'<{E}/api/models?cursor=a>; rel="next"'),
        (HUB, '<https://evil.test/api/models?cursor=a>; rel="next"', None),
        (HUB, '<//evil.test/api>; rel="next"', None),
        (HUB, '<https://huggingface.co.evil.test/api>; rel="next"', None),
        (HUB, '<https://huggingface.co/x>; rel="xet-auth"', None),
        (HUB, "", None),
        (CHAIN, '</pulp/content/hf/api/x?p=1>; rel="next"', f'<{E}/api/x?p=1>; rel="next"'),
        (CHAIN, '</elsewhere/api/x?p=1>; rel="next"', None),
    ],
)  # fmt: skip
def test_a_link(rewriter: Rewriter, header: str, link: str | None) -> None:
    assert rewriter.link(header) == link


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("Visit https://huggingface.co/org/gated to ask.", "Visit org/gated on the Hub to ask."),
        ("See https://huggingface.co/docs?x=1.", "See docs on the Hub?x=1."),
        ("Ask https://cdn.hf.co/x?sig=secret now", "Ask the Hub now"),
        ("Nothing to see", "Nothing to see"),
    ],
)
def test_a_sentence(sentence: str, shown: str) -> None:
    assert HUB.sentence(sentence) == shown


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_address_of_the_upstream_survives(before: str, after: str) -> None:
    text = f"{before} https://huggingface.co/{after}"
    assert "https://huggingface.co/" not in json.dumps(HUB.data([text]), ensure_ascii=False)

"""Bad input is refused by name of the field, and secrets do not come back."""

from typing import Any
from uuid import UUID

import pytest
from rest_framework.exceptions import ValidationError

from pulp_hugging_face.app.models import HuggingFaceRemote
from pulp_hugging_face.app.serializers import HuggingFaceRemoteSerializer


def remote(**fields: Any) -> HuggingFaceRemote:
    """A remote that is not in any database."""
    return HuggingFaceRemote(pulp_domain_id=UUID(int=1), **fields)


def field(name: str) -> Any:
    return HuggingFaceRemoteSerializer().fields[name]


def checked(name: str, value: Any) -> Any:
    """What one field makes of a value, as the whole serializer would without a database."""
    serializer = HuggingFaceRemoteSerializer()
    value = serializer.fields[name].run_validation(value)
    validate = getattr(serializer, f"validate_{name}", None)
    return validate(value) if validate else value


@pytest.mark.parametrize(
    "url",
    [
        "https://huggingface.co",
        "http://127.0.0.1:8080",
        "https://hub.test/prefix/",
        "http://[::1]:80",
    ],
)
def test_addresses_of_hubs(url: str) -> None:
    assert checked("url", url) == url


@pytest.mark.parametrize(
    "url",
    ["ftp://hub.test", "hub.test", "//hub.test", "https://", "http:///x", "file:///etc", "", "x",
     "https://hub.test?a=b", "https://hub.test/#a", "http://hub.test:port", "http://[::1", None,
     "http://hub.test:99999", "javascript:alert(1)", "https:hub.test"],
)  # fmt: skip
def test_what_is_no_address_of_a_hub_is_refused(url: Any) -> None:
    with pytest.raises(ValidationError):
        checked("url", url)


@pytest.mark.parametrize("url", ["https://user:secret@hub.test", "https://hf_token@hub.test"])
def test_credentials_in_the_address_are_refused(url: str) -> None:
    """There are fields for them that are encrypted and hidden."""
    with pytest.raises(ValidationError):
        checked("url", url)


@pytest.mark.parametrize("token", ["hf_abc", "x", "a-b_c.d~e+f/g=", None, "x" * 1024])
def test_tokens_that_may_stand_in_a_header(token: str | None) -> None:
    assert checked("hf_token", token) == token


@pytest.mark.parametrize("token", ["", " ", "a b", "a\nb", "a\r\nX: y", "é", "\x7f", "x" * 1025])
def test_other_tokens_are_refused(token: str) -> None:
    with pytest.raises(ValidationError):
        checked("hf_token", token)


@pytest.mark.parametrize("hosts", [[], ["*.hf.co"], ["cdn.test", "127.0.0.2"], ["localhost"]])
def test_hosts_of_redirects(hosts: list[str]) -> None:
    assert checked("redirect_hosts", hosts) == hosts


@pytest.mark.parametrize(
    "hosts", [["*"], ["http://a"], ["a/b"], ["a:80"], [""], ["ok.test", "*.*"], "a", None, [None]]
)
def test_what_is_no_host_pattern_is_refused(hosts: Any) -> None:
    with pytest.raises(ValidationError):
        checked("redirect_hosts", hosts)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("policy", "eager"),
        ("policy", None),
        ("token_mode", "both"),
        ("metadata_ttl", -1),
        ("metadata_ttl", 10**8),
        ("metadata_ttl", "soon"),
        ("max_redirects", -1),
        ("max_redirects", 21),
    ],
)
def test_other_impossible_values_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        checked(name, value)


def test_defaults() -> None:
    assert field("url").default == "https://huggingface.co"
    assert field("policy").default == "on_demand"
    assert field("max_redirects").default == 5
    assert field("metadata_ttl").default == 60
    assert field("redirect_hosts").default() == ["*.huggingface.co", "*.hf.co"]
    assert not field("url").required


def test_the_token_is_never_shown() -> None:
    assert field("hf_token").write_only


@pytest.mark.parametrize(
    ("mode", "token", "effective"),
    [
        (None, None, "client"),
        (None, "hf_x", "shared"),
        ("shared", None, "shared"),
        ("client", "hf_x", "client"),
    ],
)
def test_the_mode_of_tokens_follows_the_token(
    mode: str | None, token: str | None, effective: str
) -> None:
    assert remote(token_mode=mode, hf_token=token).effective_token_mode == effective


def test_the_upstream_address_of_a_file_is_quoted_as_clients_do() -> None:
    made = remote(url="https://hub.test/prefix/")
    relative = f"datasets/org/ds/resolve/{'a' * 40}/sub dir/é #1?%41.txt"
    assert made.get_remote_artifact_url(relative) == (
        f"https://hub.test/prefix/datasets/org/ds/resolve/{'a' * 40}/"
        "sub%20dir/%C3%A9%20%231%3F%2541.txt"
    )
    with pytest.raises(ValueError, match="can't start"):
        made.get_remote_artifact_url("/etc/passwd")

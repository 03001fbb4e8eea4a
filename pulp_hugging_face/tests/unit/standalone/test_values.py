"""Values of options, good and bad."""

import pytest

from pulp_hugging_face.standalone import values
from pulp_hugging_face.standalone.values import Unfit

GOOD = [
    (values.port, "0", 0),
    (values.port, "65535", 65535),
    (values.positive, "1", 1),
    (values.seconds, "0", 0),
    (values.address, "localhost", "localhost"),
    (values.address, "[::1]", "::1"),
    (values.upstream, "https://huggingface.co/", "https://huggingface.co"),
    (values.upstream, "http://127.0.0.1:8080/hub", "http://127.0.0.1:8080/hub"),
    (values.origin, "https://hub.example:8443/", "https://hub.example:8443"),
    (values.token, " hf_abc ", "hf_abc"),
    (values.host_pattern, "*.HF.co", "*.hf.co"),
    (values.trusted_proxy, " 10.0.0.0/8 ", "10.0.0.0/8"),
    (values.trusted_proxy, "::1", "::1"),
    (values.trusted_proxy, "unix", "unix"),
    (values.root_distribution, "/team/hub/", "team/hub"),
    (values.root_distribution, "None", ""),
    (values.root_distribution, "", ""),
    (values.policy, "streamed", "streamed"),
    (values.token_mode, "client", "client"),
    (values.log_level, "DEBUG", "debug"),
    (values.database_url, "postgres://u:p@h:1/db?sslmode=require", None),
]
BAD = [
    (values.folder, ""),
    (values.port, "-1"),
    (values.port, "65536"),
    (values.port, "٣"),
    (values.port, "80.0"),
    (values.positive, "0"),
    (values.seconds, "-1"),
    (values.seconds, "1.5"),
    (values.seconds, "99999999999"),
    (values.address, "hub.example"),
    (values.address, "127.0.0.1:80"),
    (values.upstream, "huggingface.co"),
    (values.upstream, "ftp://huggingface.co"),
    (values.upstream, "file:///etc/passwd"),
    (values.upstream, "https://"),
    (values.upstream, "https://user:secret@huggingface.co"),
    (values.upstream, "https://huggingface.co?x=1"),
    (values.upstream, "https://hugging face.co"),
    (values.upstream, "http://host:port"),
    (values.upstream, "http://[::1"),
    (values.origin, "https://hub.example/path"),
    (values.token, "hf abc"),
    (values.token, "hf_ü"),
    (values.password, ""),
    (values.host_pattern, "*"),
    (values.host_pattern, "https://hf.co"),
    (values.host_pattern, "hf.co:443"),
    (values.host_pattern, "hf.*"),
    (values.trusted_proxy, "*"),
    (values.trusted_proxy, "proxy.example"),
    (values.trusted_proxy, "10.0.0.1/8"),
    (values.root_distribution, "a b"),
    (values.root_distribution, "a?b"),
    (values.policy, "lazy"),
    (values.token_mode, "both"),
    (values.log_level, "trace"),
    (values.database_url, "mysql://h/db"),
    (values.database_url, "postgresql://h"),
    (values.database_url, "postgresql://h:port/db"),
]


@pytest.mark.parametrize(("parse", "raw", "expected"), GOOD)
def test_good(parse, raw, expected):
    assert parse(raw) == (raw if expected is None else expected)


@pytest.mark.parametrize(("parse", "raw"), BAD)
def test_bad(parse, raw):
    with pytest.raises(Unfit):
        parse(raw)


def test_a_line_end_around_a_token_is_forgiven_and_one_inside_is_not():
    assert values.token("hf_abc\n") == "hf_abc"
    with pytest.raises(Unfit):
        values.token("hf_a\nX-Header: b")

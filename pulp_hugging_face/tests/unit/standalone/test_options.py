"""What was asked for: where options come from, what is refused, what is never shown."""

from pathlib import Path

import pytest

from pulp_hugging_face.standalone import options
from pulp_hugging_face.standalone.cli import parser
from pulp_hugging_face.standalone.cores import usable_cores
from pulp_hugging_face.standalone.errors import BadOption
from pulp_hugging_face.standalone.options import OPTIONS, Options, resolve

SECRET = "hf_averysecrettoken"


def test_a_flag_wins_over_the_environment_and_that_over_dotenv():
    dotenv = {"PULP_HF_PORT": "1001", "PULP_HF_API_PORT": "1002", "PULP_HF_WORKERS": "3"}
    environ = {"PULP_HF_PORT": "2001", "PULP_HF_API_PORT": "2002"}
    found = resolve({"port": "3001"}, environ, dotenv)
    assert (found.port, found.api_port, found.workers) == (3001, 2002, 3)


def test_defaults_are_those_of_the_table():
    found = resolve({}, {"HOME": "/home/you"}, {})
    assert (found.port, found.api_port, found.bind) == (24816, 24817, "127.0.0.1")
    assert found.workers == usable_cores()
    assert found.data == Path("/home/you/.local/share/pulp_hugging_face")
    assert found.upstream is None and found.explicit == frozenset()


def test_xdg_moves_the_default_data_folder_and_hf_root_folder_names_it():
    assert resolve({}, {"XDG_DATA_HOME": "/d"}, {}).data == Path("/d/pulp_hugging_face")
    assert resolve({}, {"HF_ROOT_FOLDER": "/e"}, {}).data == Path("/e")


def test_an_empty_variable_is_as_good_as_none_and_hides_dotenv():
    found = resolve({}, {"HF_TOKEN": ""}, {"HF_TOKEN": SECRET})
    assert found.hf_token is None


def test_an_empty_flag_is_refused_not_ignored():
    with pytest.raises(BadOption, match="--upstream"):
        resolve({"upstream": ""}, {}, {})


def test_only_explicit_fields_of_the_remote_are_handed_on():
    found = resolve({"upstream": "https://hub.example/"}, {"HF_TOKEN": SECRET}, {})
    assert found.remote_fields() == {"url": "https://hub.example", "hf_token": SECRET}
    assert resolve({}, {}, {}).remote_fields() == {}


def test_a_zero_given_explicitly_is_not_a_missing_value():
    assert resolve({"metadata_ttl": "0"}, {}, {}).remote_fields() == {"metadata_ttl": 0}


@pytest.mark.parametrize(
    ("flags", "environ"),
    [
        ({"root_distribution": "none"}, {}),
        ({"root_distribution": ""}, {}),
        ({}, {"PULP_HF_ROOT_DISTRIBUTION": "none"}),
    ],
)
def test_the_root_can_be_switched_off(flags, environ):
    assert resolve({}, {}, {}).root_distribution == "huggingface"
    assert resolve(flags, environ, {}).root_distribution == ""


@pytest.mark.parametrize(
    ("flags", "environ"),
    [
        ({"redirect_hosts": ["*.A.example", "127.0.0.2"]}, {}),
        ({}, {"PULP_HF_REDIRECT_HOSTS": "*.a.example, 127.0.0.2"}),
        ({}, {"PULP_HF_REDIRECT_HOSTS": "*.a.example 127.0.0.2"}),
    ],
)
def test_redirect_hosts_may_be_repeated_or_listed(flags, environ):
    assert resolve(flags, environ, {}).redirect_hosts == ("*.a.example", "127.0.0.2")


def test_secrets_are_never_shown():
    environ = {
        "HF_TOKEN": SECRET,
        "PULP_HF_ADMIN_PASSWORD": SECRET,
        "DATABASE_URL": f"postgresql://pulp:{SECRET}@db/pulp",
    }
    found = resolve({}, environ, {})
    assert SECRET not in repr(found)
    assert SECRET not in str(found.shown())
    assert found.shown()["hf_token"] == options.REDACTED


def test_a_bad_secret_is_not_quoted_in_the_refusal():
    with pytest.raises(BadOption) as refused:
        resolve({}, {"HF_TOKEN": f"{SECRET} {SECRET}"}, {})
    assert SECRET not in str(refused.value)
    assert "HF_TOKEN" in str(refused.value)


def test_a_refusal_names_where_the_value_came_from():
    with pytest.raises(BadOption, match=r"PULP_HF_PORT in \.env: 'http'"):
        resolve({}, {}, {"PULP_HF_PORT": "http"})
    with pytest.raises(BadOption, match="--port: '99999'") as refused:
        resolve({"port": "99999"}, {}, {})
    assert refused.value.exit_code == 2


def test_every_option_has_a_sentence_a_default_and_a_place_in_the_options():
    for option in OPTIONS:
        assert option.help.endswith(".")
        assert option.default is not None or option.default_text
        assert option.name in Options.__dataclass_fields__
        if option.default is not None:
            assert Options.__dataclass_fields__[option.name].default == option.default


def test_names_flags_and_variables_are_unique():
    for attribute in ("name", "env"):
        values = [getattr(option, attribute) for option in OPTIONS]
        assert len(values) == len(set(values))
    flags = [option.flag for option in OPTIONS if option.flag]
    assert len(flags) == len(set(flags))


def test_the_parser_offers_the_table():
    arguments = parser().parse_args(["up", "--redirect-host", "a.b", "--redirect-host", "c.d"])
    assert arguments.redirect_hosts == ["a.b", "c.d"]
    assert arguments.port is None
    assert parser().parse_args(["status", "--data", "x"]).data == "x"
    with pytest.raises(SystemExit):
        parser().parse_args(["down", "--port", "1"])

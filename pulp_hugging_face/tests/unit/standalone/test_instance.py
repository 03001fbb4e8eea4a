"""What an instance says of its own address."""

import pytest

from pulp_hugging_face.standalone.datadir import DataDir
from pulp_hugging_face.standalone.instance import Instance
from pulp_hugging_face.standalone.options import Options
from pulp_hugging_face.standalone.signals import Signals


@pytest.fixture
def instance_with(tmp_path):
    made = []

    def make(**options):
        values = Options(data=tmp_path, port=0, api_port=0, **options)
        instance = Instance(values, {}, Signals(), DataDir(tmp_path))
        instance.reserve_ports()
        made.append(instance)
        return instance

    yield make
    for instance in made:
        for taken in instance.sockets.values():
            taken.close()


def test_a_server_on_one_address_names_it(instance_with):
    instance = instance_with(bind="127.0.0.1")
    assert instance.configured_origin == instance.content_url


@pytest.mark.parametrize("bind", ["0.0.0.0", "::"])
def test_a_server_on_every_interface_leaves_its_name_to_the_request(instance_with, bind):
    assert instance_with(bind=bind).configured_origin is None


def test_a_name_that_was_given_counts(instance_with):
    instance = instance_with(bind="0.0.0.0", content_origin="https://cache.example.org")
    assert instance.configured_origin == "https://cache.example.org"

"""The generated settings and the environment of Pulp's processes."""

import pytest

from pulp_hugging_face.standalone import settings
from pulp_hugging_face.standalone.database import Database
from pulp_hugging_face.standalone.datadir import DataDir
from pulp_hugging_face.standalone.options import Options


@pytest.fixture
def data(tmp_path):
    data = DataDir(tmp_path / 'it\'s a "folder"')
    data.prepare()
    data.ensure_secrets()
    return data


def rendered(data, database, **options):
    text = settings.render(data, database, "http://x:1", Options(data=data.root, **options))
    values = {}
    exec(compile(text, "settings.py", "exec"), values)
    return values


def test_settings_are_python_whatever_the_folder_is_called(data):
    values = rendered(data, Database(host="/run", name="pulp", user="pulp"))
    assert values["MEDIA_ROOT"] == str(data.media)
    assert values["CONTENT_ORIGIN"] == "http://x:1"
    assert values["ALLOWED_CONTENT_CHECKSUMS"] == ["sha256"]
    assert values["ANALYTICS"] is False and values["UVLOOP_ENABLED"] is False


def test_working_directory_and_media_are_on_one_file_system(data):
    values = rendered(data, Database(host="/run", name="pulp", user="pulp"))
    assert values["WORKING_DIRECTORY"] == values["FILE_UPLOAD_TEMP_DIR"] == str(data.tmp)
    assert data.tmp.stat().st_dev == data.media.stat().st_dev


def test_the_token_and_the_password_are_not_in_the_settings(data):
    values = rendered(
        data, Database(host="/run", name="pulp", user="pulp"), hf_token="hf_x", admin_password="pw"
    )
    assert "hf_x" not in repr(values) and "'pw'" not in repr(values)


def test_log_level_reaches_the_loggers(data):
    values = rendered(data, Database(host="/run", name="p", user="p"), log_level="debug")
    assert values["LOGGING"]["loggers"]["pulp_hugging_face"]["level"] == "DEBUG"


def test_by_default_the_default_distribution_is_at_the_root_and_no_proxy_is_trusted(data):
    values = rendered(data, Database(host="/run", name="p", user="p"))
    assert values["HUGGING_FACE_ROOT_DISTRIBUTION"] == "huggingface"
    assert values["HUGGING_FACE_TRUSTED_PROXIES"] == []


def test_root_and_proxies_reach_the_settings(data):
    database = Database(host="/run", name="p", user="p")
    values = rendered(data, database, root_distribution="", trusted_proxies=("10.0.0.0/8", "unix"))
    assert values["HUGGING_FACE_ROOT_DISTRIBUTION"] is None
    assert values["HUGGING_FACE_TRUSTED_PROXIES"] == ["10.0.0.0/8", "unix"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://u:p%40ss@db.example:6432/hub?sslmode=require",
            Database("db.example", "hub", "u", "6432", "p@ss", (("sslmode", "require"),)),
        ),
        ("postgres:///hub?host=/run/postgresql", Database("/run/postgresql", "hub", "")),
    ],
)
def test_database_url(url, expected):
    assert Database.from_url(url) == expected


def test_a_database_is_shown_without_its_password():
    database = Database.from_url("postgresql://u:secret@db:1/hub")
    assert "secret" not in repr(database) and database.shown == "db:1/hub"


def test_children_do_not_inherit_secrets_nor_the_client_settings(data):
    environ = {
        "PATH": "/bin",
        "HF_TOKEN": "t",
        "HF_ENDPOINT": "http://127.0.0.1:24816/pulp/content/huggingface",
        "DATABASE_URL": "u",
        "PULP_HF_ADMIN_PASSWORD": "p",
        "PULP_SETTINGS": "/other.py",
        "PULP_CACHE_ENABLED": "true",
        "HTTPS_PROXY": "http://proxy:3128",
    }
    assert settings.environment(data, environ) == {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy:3128",
        "PULP_CACHE_ENABLED": "true",
        "PULP_SETTINGS": str(data.settings),
        "DJANGO_SETTINGS_MODULE": "pulpcore.app.settings",
        "PYTHONUNBUFFERED": "1",
    }

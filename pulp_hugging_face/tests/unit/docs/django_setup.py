"""Print what the serializers accept, as JSON. Runs by itself: Django wants settings first."""

import json
import os
import sys
from pathlib import Path
from typing import Any

SETTINGS = """
SECRET_KEY = "not a secret"
DB_ENCRYPTION_KEY = {key!r}
CONTENT_ORIGIN = "http://localhost"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", "NAME": "never used"}}}}
"""


def main(folder: Path) -> None:
    """Describe the writable fields of both serializers."""
    key = folder / "key"
    key.write_text("Zm9yIHRlc3RzIG9ubHkhZm9yIHRlc3RzIG9ubHkhISE=\n")
    settings = folder / "settings.py"
    settings.write_text(SETTINGS.format(key=str(key)))
    os.environ.update(PULP_SETTINGS=str(settings), DJANGO_SETTINGS_MODULE="pulpcore.app.settings")
    import django

    django.setup()
    from pulp_hugging_face.app import serializers

    described = {
        "remote": _fields(serializers.HuggingFaceRemoteSerializer),
        "distribution": _fields(serializers.HuggingFaceDistributionSerializer),
    }
    print(json.dumps(described))


def _fields(serializer: Any) -> dict[str, Any]:
    fields = serializer().fields.items()
    model = serializer.Meta.model
    return {name: _default(name, field, model) for name, field in fields if not field.read_only}


def _default(name: str, field: Any, model: Any) -> Any:
    """Return the default in JSON's words; "required" where there is none."""
    from rest_framework.fields import empty

    if field.required:
        return "required"
    default = field.default
    if default is empty:
        default = {"pulp_labels": {}}.get(name, model._meta.get_field(name).get_default())
    return default() if callable(default) else default


if __name__ == "__main__":
    main(Path(sys.argv[1]))

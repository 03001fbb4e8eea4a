"""
Django for tests that need no server: settings of a throwaway Pulp, made before anything imports it.

Call `configure` before importing pulp_hugging_face.app, store or serve.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_SETTINGS = """
SECRET_KEY = "not secret"
DB_ENCRYPTION_KEY = "{root}/key"
CONTENT_ORIGIN = "http://pulp.test:24816"
ANALYTICS = False
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "pulp",
        "USER": "pulp",
        "HOST": "{root}/run",
    }}
}}
DEPLOY_ROOT = "{root}"
MEDIA_ROOT = "{root}/media"
STATIC_ROOT = "{root}/assets"
WORKING_DIRECTORY = "{root}/tmp"
FILE_UPLOAD_TEMP_DIR = "{root}/tmp"
ALLOWED_CONTENT_CHECKSUMS = ["sha256"]
HUGGING_FACE_PULL_THROUGH_BATCH_SECONDS = 3600
HUGGING_FACE_REVALIDATE_SECONDS = 1
"""
_KEY = "vQ5bjjSBZxYkgzqmSvKYpvGJrkDYJOVmIhGSBmRGgbQ="

_root: Path | None = None


def configure() -> Path:
    """Make the folder of the throwaway Pulp, point Django to it and return it."""
    global _root
    if _root is None:
        _root = Path(tempfile.mkdtemp(prefix="hfu-", dir="/tmp"))
        _root.chmod(0o755)
        atexit.register(shutil.rmtree, _root, ignore_errors=True)
        for name in ("media", "assets", "tmp"):
            (_root / name).mkdir()
        (_root / "key").write_text(_KEY)
        (_root / "settings.py").write_text(_SETTINGS.format(root=_root))
        os.environ["PULP_SETTINGS"] = str(_root / "settings.py")
        os.environ["DJANGO_SETTINGS_MODULE"] = "pulpcore.app.settings"
        import django

        django.setup()
    return _root

"""Django system checks of the plugin's settings (`pulpcore-manager check`, before migrations)."""

from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from pulp_hugging_face.serve.base import trusted_proxies


@register("hugging_face")
def check_trusted_proxies(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Tell of a list of trusted proxies that cannot be read; the content app refuses to start."""
    try:
        trusted_proxies()
    except ImproperlyConfigured as error:
        hint = 'e.g. ["127.0.0.1", "10.0.0.0/8", "unix"]'
        return [Error(str(error), hint=hint, id="hugging_face.E001")]
    return []

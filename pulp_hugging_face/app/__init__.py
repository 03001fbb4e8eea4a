"""The Pulp plugin: models, REST API, tasks and the mount of the content app."""

from django.db.models.signals import post_migrate
from pulpcore.plugin import PulpPluginAppConfig


class PulpHuggingFacePluginAppConfig(PulpPluginAppConfig):
    """Django application of the plugin (pulpcore: plugin application configuration)."""

    name = "pulp_hugging_face.app"
    label = "hugging_face"
    version = "1.0.0.dev0"
    python_package_name = "pulp-hugging-face"
    domain_compatible = True

    def ready(self) -> None:
        """Connect the parts that models cannot know of."""
        super().ready()
        from . import checks, downloaders  # noqa: F401
        from .models import changes
        from .tasks import grants, trees

        changes.connect()
        downloaders.register()
        for task in (grants, trees):
            post_migrate.connect(task.schedule, sender=self, dispatch_uid=f"hf-{task.__name__}")

"""pulp_hugging_face: an organisation's own Hugging Face Hub, as a Pulp plugin."""

default_app_config = "pulp_hugging_face.app.PulpHuggingFacePluginAppConfig"

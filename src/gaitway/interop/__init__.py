"""Published checkpoints and configurations, turned into Gaitway's own."""

from gaitway.interop.checkpoint_file import read_checkpoint
from gaitway.interop.checkpoints import ImportedModel, import_model
from gaitway.interop.opengait_config import PublishedConfig, read_config
from gaitway.interop.opengait_recipe import Note, to_recipe
from gaitway.interop.published import UnknownModelError, model_from_config

__all__ = [
    "ImportedModel",
    "Note",
    "PublishedConfig",
    "UnknownModelError",
    "import_model",
    "model_from_config",
    "read_checkpoint",
    "read_config",
    "to_recipe",
]

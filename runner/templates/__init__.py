"""The template library: agents of common kinds, one YAML file each, ready to be used and adapted."""

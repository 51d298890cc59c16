"""A trained run as a folder that can be passed on."""

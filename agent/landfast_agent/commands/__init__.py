"""One module per command of `landfast-agent`, each with a click command named `command`."""

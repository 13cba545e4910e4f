"""The host agent: tags processes, keeps the kernel's policy current, records what the kernel decided."""

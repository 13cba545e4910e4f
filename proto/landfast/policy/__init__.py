"""What a policy means: read, check, compile for the kernel, decide, compare. Every part shares it."""

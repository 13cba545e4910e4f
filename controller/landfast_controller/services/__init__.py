"""The gRPC services, one module each. Who may call what is decided in `access`, before they are reached."""

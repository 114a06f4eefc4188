"""A process and its life: listeners up, signals, drain, systemd."""

"""Processes and their lives: a supervisor and its workers, listeners up, signals, reload, drain, hand-over, systemd."""

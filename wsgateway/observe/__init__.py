"""What an operator sees: the log, the status, the admin pages and the metrics."""

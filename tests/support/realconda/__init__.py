"""A real conda, real packages and throw-away installations, with no conda channel in reach."""

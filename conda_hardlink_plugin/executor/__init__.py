"""The only code that changes somebody's disk: locks, quarantine, removal."""

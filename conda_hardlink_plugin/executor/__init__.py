"""The only code that changes a user's disk: locks, quarantine, removal."""

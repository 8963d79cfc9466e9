"""The only code that moves or removes something in a package cache: locks, quarantine, removal."""

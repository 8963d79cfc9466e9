"""What conda environments really cost on disk, counted by inode."""

__version__ = "0.1.0"

"""What is said before and after conda's transactions, and what they cost."""

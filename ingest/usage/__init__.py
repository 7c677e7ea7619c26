"""What model providers say was used and charged: their exports become events of the log."""

"""The quarterly review: proposals by editable rules, with the numbers that led to them."""

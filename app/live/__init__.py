"""What pages ask the live side beside the desk: money, schedules, rights, health and reviews, as values."""

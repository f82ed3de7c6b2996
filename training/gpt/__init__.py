"""A mini-GPT written by hand: its parts, its training, its publication in stock formats."""

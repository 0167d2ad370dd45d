"""Tables: what their columns are, and how rows become numbers that networks can learn, and rows again."""

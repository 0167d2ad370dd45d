"""Frozen networks that turn uint8 pictures into features; weights by path and sha256, or drawn from a seed."""

"""Judging synthetic tables: how alike they are, how useful, how private, each figure with what it was measured on."""

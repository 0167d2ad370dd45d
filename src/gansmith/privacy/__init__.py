"""Differential privacy: what a mechanism costs, who has spent what, private preparation of tables, and audits.

The unit of privacy is one row: two tables are neighbours when one row of the first is blank in the second (it takes
part in nothing). The number of rows is thereby public; a count changes by at most 1, and a sum of clipped gradients
by at most the clipping norm.
"""

"""A look at pictures before anything is trained on them: copies, blanks, outliers, leaks, and what they are made of."""

"""Tables in use: fit, sample with conditions and constraints, impute, write to files, save and load."""

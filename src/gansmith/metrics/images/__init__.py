"""Metrics of pictures, one module each: `METRIC` in it is the class. The registry finds them by listing this folder."""

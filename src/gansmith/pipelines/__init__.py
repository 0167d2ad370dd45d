"""Task-shaped uses of the engine: train, resume, generate, evaluate; the command line is a thin layer over them."""

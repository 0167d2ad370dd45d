"""`python -m gansmith`, which torchrun launches too."""

from gansmith.cli.main import main

if __name__ == "__main__":
    main()

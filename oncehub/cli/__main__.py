"""`python -m oncehub.cli` is the `oncehub` command."""

from oncehub.cli.app import main

main()

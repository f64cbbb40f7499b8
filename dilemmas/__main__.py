"""`python -m dilemmas` is the `dilemmas` command."""

from dilemmas.cli import main

main()

"""`python -m rules_service.cli`."""

from rules_service.cli import main

main()

"""`python -m andon`: how the supervisor starts each process."""

from andon.cli import main

main()

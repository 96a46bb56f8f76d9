"""`python -m baregrad`: the same as the command `baregrad`."""

import sys

from .cli import main

sys.exit(main())

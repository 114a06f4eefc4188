"""`python -m wsgateway` is the command `wsgateway`."""

import sys

from wsgateway.cli import main

sys.exit(main())

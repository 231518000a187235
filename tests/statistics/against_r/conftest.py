"""Test files are imported without their folder on the path; the modules of our values lie beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

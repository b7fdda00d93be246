# SPDX-License-Identifier: BSD-3-Clause
"""What a run leaves on the disk about itself: ledger, lock, journals of outputs, post-mortems.

Here is what a run writes; what reads it afterwards is in `reading`, `checking` and `resume`.
"""

from harness.ledger.post_mortem import PostMortem, PostMortems
from harness.ledger.schema import LEDGER_NAME
from harness.ledger.visit import DIED, RAISED, Failure, VisitRecord
from harness.ledger.writer import Ledger, Output, StageTime

__all__ = [
    "DIED", "LEDGER_NAME", "RAISED", "Failure", "Ledger", "Output", "PostMortem", "PostMortems", "StageTime",
    "VisitRecord",
]

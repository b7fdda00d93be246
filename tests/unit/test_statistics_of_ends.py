# SPDX-License-Identifier: BSD-3-Clause
"""What visits count that had begun ahead of the end of the data."""

from harness.runtime.records.statistics import RunStatistics


def test_what_was_lost_in_visits_that_had_begun_ahead_of_the_end_does_not_count():
    statistics = RunStatistics([])
    for visit in (1, 2, 3):
        statistics.count_death(visit=visit, failed=[0], elsewhere=[{"visit": visit + 1, "failed": [1]}])
        statistics.end_visit(visit)
    assert statistics.lost == [(1, 0), (2, 1), (2, 0), (3, 1), (3, 0), (4, 1)]
    statistics.end_with(2)
    assert statistics.lost == [(1, 0), (2, 1), (2, 0)]
    assert statistics.visits == 2

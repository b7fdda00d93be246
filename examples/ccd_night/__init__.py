# SPDX-License-Identifier: BSD-3-Clause
"""A night of CCD images, simulated and reduced: the harness at work on a whole small observatory.

Three layers that know each other only downwards: ``simulate`` makes raw FITS files whose truth is known,
``algorithms`` are plain functions over NumPy arrays, ``stages`` wrap them as DC3b stage classes.
"""

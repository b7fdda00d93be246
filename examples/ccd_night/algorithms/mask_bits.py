# SPDX-License-Identifier: BSD-3-Clause
"""Meaning of the bits of a mask image (uint8) and of a catalogue's flags."""

SATURATED = 1
"""The raw value reached the saturation level, or a pixel of the object did."""

BAD_FLAT = 2
"""The flat is too low or not a number there; the pixel value is meaningless."""

COSMIC_RAY = 4
"""Sharper than a star can be."""

EDGE = 8
"""The measuring aperture reaches over the image's edge."""

BLENDED = 16
"""Another object lies within the measuring aperture's diameter."""

NOT_CONVERGED = 32
"""The centre did not settle."""

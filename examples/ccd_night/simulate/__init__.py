# SPDX-License-Identifier: BSD-3-Clause
"""Physical model of a CCD camera at night: everything that ends up in a raw file, and the truth behind it."""

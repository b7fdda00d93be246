# SPDX-License-Identifier: BSD-3-Clause
"""A stage whose inner loop is compiled and reaches the pixels on the clipboard without the interpreter."""

# SPDX-License-Identifier: BSD-3-Clause
"""Raw images that appear in a directory are reduced one by one, read and written by type and ids."""

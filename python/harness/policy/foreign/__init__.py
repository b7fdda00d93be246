# SPDX-License-Identifier: BSD-3-Clause
"""JSON and TOML as policies: libraries say what a text holds, and the code here where it stands."""

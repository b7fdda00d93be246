# SPDX-License-Identifier: BSD-3-Clause
"""Validation without a run: pipelines with their stages, dictionaries, policies against dictionaries."""

# SPDX-License-Identifier: BSD-3-Clause
"""The dictionaries of the pipeline policy: the one place where its keys, types, ranges and defaults stand."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.policy import Dictionary, Policy

REPOSITORY = "policy"
STAGE_KEYS = ("appStage", "failureStage")


def load_dictionary(product: str, path: str, repository: str = "") -> Dictionary:
    """A dictionary of a product, with the dictionary files that it names.

    Raises:
        harness.policy.errors.Located: the product or a file is missing, or no dictionary.
    """
    from harness.policy import DefaultPolicyFile, Dictionary

    source = DefaultPolicyFile(product, path, repository)
    dictionary = Dictionary(source)
    dictionary.loadPolicyFiles(source.getRepositoryPath())
    return dictionary


@functools.cache
def own_dictionary(name: str) -> Dictionary:
    """A dictionary of the harness itself; not to be changed.

    It is never looked for in PEX_HARNESS_DIR: an environment may still be set up for a harness of 2009.
    """
    from harness.policy import Dictionary
    from harness.policy.products import installed_directory

    folder = os.path.join(installed_directory(), REPOSITORY)
    dictionary = Dictionary(os.path.join(folder, name))
    dictionary.loadPolicyFiles(folder)
    return dictionary


def pipeline_dictionary() -> Dictionary:
    """The dictionary of pipeline policies; not to be changed."""
    return own_dictionary("PipelineDictionary.paf")


@functools.cache
def _defaults() -> tuple[Policy, Policy]:
    """The defaults of a pipeline policy and those of a stage block."""
    from harness.policy import Policy

    dictionary = pipeline_dictionary()
    pipeline = Policy(False, dictionary)
    # Blocks that a policy lacks are not made up: a default failure stage would be a failure stage.
    for name in pipeline.policyNames(True):
        pipeline.remove(name)
    return pipeline, Policy(False, dictionary.getSubDictionary("appStage"))


def merge_pipeline_defaults(policy: Policy) -> None:
    """Completes a pipeline policy and its stage blocks with the defaults of the dictionaries."""
    of_pipeline, of_stage = _defaults()
    policy.mergeDefaults(of_pipeline, False)
    for key in STAGE_KEYS:
        if policy.isPolicy(key):
            for block in policy.getPolicyArray(key):
                block.mergeDefaults(of_stage, False)


def bounds(name: str) -> tuple[int, int]:
    """The range of an integer key of the pipeline policy."""
    allowed = pipeline_dictionary().getDef(name).getData().getPolicy("allowed")
    return allowed.getInt("min"), allowed.getInt("max")

# SPDX-License-Identifier: BSD-3-Clause
"""Default policies of the night's stages, from the dictionaries that lie beside them."""

import os
from pathlib import Path

from lsst.pex.policy import DefaultPolicyFile, Policy

PRODUCT = "ccd_night"

# A product is found through <PRODUCT>_DIR, which an installation sets up; ours lies beside this file.
os.environ.setdefault("CCD_NIGHT_DIR", str(Path(__file__).resolve().parent.parent))


def with_defaults(policy, dictionary):
    """Return ``policy`` with the defaults of a dictionary file merged in, and validated by it.

    Parameters
    ----------
    policy : Policy or None
        What the pipeline policy says about the stage; completed in place.
    dictionary : str
        File name in the product's ``policy`` directory.

    Raises
    ------
    lsst.pex.policy.ValidationError
        The policy has unknown names, wrong types or forbidden values.
    """
    source = DefaultPolicyFile(PRODUCT, dictionary, "policy")
    defaults = Policy.createPolicy(source, source.getRepositoryPath(), True)
    own = policy if policy is not None else Policy()
    own.mergeDefaults(defaults.getDictionary())
    return own


def required(clipboard, key, stage):
    """Return a clipboard value; if it is missing, `RuntimeError` names key, stage and what is there."""
    if not clipboard.contains(key):
        present = ", ".join(sorted(str(name) for name in clipboard.getKeys())) or "nothing"
        raise RuntimeError(
            f"stage {stage.getName()!r} on rank {stage.getRank()}: the clipboard has no {key!r};"
            f" it holds {present}. Does the stage that makes it run before this one?"
        )
    return clipboard.getItem(key)

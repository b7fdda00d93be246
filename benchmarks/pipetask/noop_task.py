# SPDX-License-Identifier: BSD-3-Clause
"""A pipeline task of the Rubin middleware that does nothing: a small input, a small output."""

import lsst.pipe.base as pipe_base
from lsst.pipe.base import connectionTypes

DIMENSIONS = ("instrument", "detector")
KIND = "StructuredDataDict"


class NothingConnections(pipe_base.PipelineTaskConnections, dimensions=DIMENSIONS):
    """One dictionary in, one out, for every detector."""

    given = connectionTypes.Input(doc="given", name="given", storageClass=KIND, dimensions=DIMENSIONS)
    made = connectionTypes.Output(doc="made", name="made", storageClass=KIND, dimensions=DIMENSIONS)


class NothingConfig(pipe_base.PipelineTaskConfig, pipelineConnections=NothingConnections):
    """Nothing to configure."""


class NothingTask(pipe_base.PipelineTask):
    """Hands on the number of its detector."""

    ConfigClass = NothingConfig
    _DefaultName = "nothing"

    def run(self, given):
        """The input's number, in a dictionary of its own."""
        return pipe_base.Struct(made={"detector": given["detector"]})

"""Words and pictures -> pictures: the one Python API."""

from bluerider.pipeline.dice import DECODER_NOISE as DECODER_NOISE
from bluerider.pipeline.dice import PRIOR_NOISE as PRIOR_NOISE
from bluerider.pipeline.dice import Dice as Dice
from bluerider.pipeline.pipeline import Pipeline as Pipeline

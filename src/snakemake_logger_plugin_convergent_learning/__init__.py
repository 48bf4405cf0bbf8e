"""Where Snakemake looks for the logger `convergent-learning`, which profiles/default names."""

from convergent_learning.workflow.stage_log import StageLog as LogHandler

__all__ = ["LogHandler"]

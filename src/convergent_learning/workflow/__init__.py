"""Around the jobs of the workflow: log, code digests, provenance, archives; alone knows Snakemake.

Imports no torch, and nothing that costs a scoring job time.
"""

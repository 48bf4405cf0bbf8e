"""Where every product comes from: a record a job, stamped on its outputs, chained to raw data.

Imports no torch, and nothing that costs a scoring job time.
"""

"""What an experiment will cost, before anything of it runs: jobs, hours, memory, disk.

`sizes` measures networks without running them, `work` lists the jobs and what each has to do,
`costs` says what a unit of each kind of work takes, `calibrate` measures that on this machine, and
`python -m convergent_learning.planning` prints the plan.
"""

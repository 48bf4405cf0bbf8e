"""What an experiment will cost, before anything of it runs: jobs, hours, memory, disk.

`sizes` measures networks without running them, `work` and `score_work` list the jobs and what each
has to do, `costs` says what a unit of each kind of work takes, `calibrate` measures that here, and
`python -m convergent_learning.planning` prints the plan.
"""

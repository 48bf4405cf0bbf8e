"""Training: plan, loop, augmentation, schedule, checkpoints, resume."""

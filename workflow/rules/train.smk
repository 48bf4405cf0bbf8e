"""Training: a rule for each job, since the checkpoints' step numbers depend on what it trains."""

TRAININGS = [job for job in DESIGN.jobs if job.rule.startswith("train_")]

for rank, training in enumerate(TRAININGS):

    rule:
        name:
            training.rule
        input:
            **training.inputs,
        output:
            training.outputs,
        log:
            PATHS.log(training.name),
        benchmark:
            PATHS.benchmark(training.name)
        # Those named first in the config start first: name the costly ones first.
        priority: len(TRAININGS) - rank
        # A job near its time limit saves its state and exits; the next attempt goes on.
        retries: 3
        conda:
            ENVIRONMENT
        threads: training.threads
        resources:
            mem_mb=memory(training.rule),
            runtime=minutes(training.rule),
            gpu=config["gpu"],
        params:
            **training.params,
            code=code("train.py", TrainingPlan),
        script:
            "../scripts/train.py"


rule pretrained:
    input:
        files("pretrained", "files"),
    output:
        PATHS.description,
    log:
        log("pretrained"),
    benchmark:
        benchmark("pretrained")
    # Before any training: a wrong name stops the run in its first seconds.
    priority: 1000
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory("pretrained"),
        runtime=minutes("pretrained"),
    params:
        pretrained=value("pretrained", "pretrained"),
        layers=value("pretrained", "layers"),
        image_size=value("pretrained", "image_size"),
        code=code("pretrained.py", Pretrained, Layer),
    script:
        "../scripts/pretrained.py"

"""Training: a rule for each job, since the checkpoints' step numbers depend on what it trains.

Trained networks belong to all experiments: what they are is in the names of their folders.
"""

TRAININGS = [job for job in DESIGN.jobs if job.rule.startswith("train_")]


rule precision:
    output:
        PRECISION,
    log:
        DESIGN.trained.log("precision"),
    benchmark:
        DESIGN.trained.benchmark("precision")
    # A network that is added later is trained as the others were.
    priority: 1000
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("precision"),
        runtime=minutes("precision"),
        gpu=config["gpu"],
    script:
        "../scripts/precision.py"


for rank, training in enumerate(TRAININGS):

    rule:
        name:
            training.rule
        input:
            dataset=training.inputs["dataset"],
            precision=ancient(training.inputs["precision"]),
        output:
            # Networks of the job that are trained already are kept.
            update(training.outputs),
        log:
            DESIGN.log(training),
        benchmark:
            DESIGN.benchmark(training)
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
            plans=named_by_outputs(training.params["plans"]),
            folders=named_by_outputs(training.params["folders"]),
            state=training.params["state"],
            code=code("train.py", TrainingPlan, *taught(training)),
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
        followed=value("pretrained", "followed"),
        layers=value("pretrained", "layers"),
        image_size=value("pretrained", "image_size"),
        code=code("pretrained.py", Pretrained, Layer),
    script:
        "../scripts/pretrained.py"

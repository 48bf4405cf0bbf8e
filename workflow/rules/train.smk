"""Training: a rule a dataset, as the checkpoints' step numbers depend on its size."""

for name in EXPERIMENT.datasets:

    rule:
        name:
            f"train_{name}"
        input:
            dataset=DATASET.format(dataset=name),
        output:
            training_products(name),
        log:
            f"{LOG}/train/{name}/{{network}}.log",
        benchmark:
            f"{BENCHMARK}/train/{name}/{{network}}.tsv"
        conda:
            ENVIRONMENT
        threads: config["training"]["threads"]
        resources:
            mem_mb=3000,
            runtime=720,
        params:
            plan=lambda wildcards, dataset=name: asdict(EXPERIMENT.plan(dataset, wildcards.network)),
            state=f"{RESULTS}/training_state/{name}",
        script:
            "../scripts/train.py"

"""Training: a rule a dataset and architecture; the checkpoints' step numbers depend on the first."""

for dataset in EXPERIMENT.datasets:
    for rank, architecture in enumerate(ARCHITECTURES):

        rule:
            name:
                f"train_{dataset}_{architecture}"
            input:
                dataset=DATASET.format(dataset=dataset),
            output:
                training_products(dataset, architecture),
            log:
                f"{LOG}/train/{dataset}/{architecture}-seed{{seed}}.log",
            benchmark:
                f"{BENCHMARK}/train/{dataset}/{architecture}-seed{{seed}}.tsv"
            # Those named first in the config start first: name the costly ones first.
            priority: len(ARCHITECTURES) - rank
            conda:
                ENVIRONMENT
            threads: config["training"]["threads"]
            resources:
                mem_mb=3000,
                runtime=720,
            params:
                plan=training_plan(dataset, architecture),
                state=f"{RESULTS}/training_state/{dataset}",
            script:
                "../scripts/train.py"

"""Tables of numbers, the figures drawn from them, and the claims they decide."""


rule datasets_table:
    input:
        expand(DATASET, dataset=EXPERIMENT.datasets),
    output:
        report(
            f"{TABLES}/datasets.csv",
            caption="../report/tables.rst",
            category="Tables",
            subcategory="Experiment",
        ),
    log:
        f"{LOG}/tables/datasets.log",
    benchmark:
        f"{BENCHMARK}/tables/datasets.tsv"
    conda:
        ENVIRONMENT
    params:
        config=config,
        code=code("datasets_table.py"),
    script:
        "../scripts/datasets_table.py"


rule layers_table:
    input:
        [
            MOMENTS.format(dataset=dataset, slug="id", step=step)
            for dataset, step in FINAL_STEP.items()
        ],
    output:
        report(
            f"{TABLES}/layers.csv",
            caption="../report/tables.rst",
            category="Tables",
            subcategory="Experiment",
        ),
    log:
        f"{LOG}/tables/layers.log",
    benchmark:
        f"{BENCHMARK}/tables/layers.tsv"
    conda:
        ENVIRONMENT
    params:
        datasets=EXPERIMENT.datasets,
        code=code("layers_table.py"),
    script:
        "../scripts/layers_table.py"


rule conditions_table:
    output:
        report(
            f"{TABLES}/conditions.csv",
            caption="../report/tables.rst",
            category="Tables",
            subcategory="Experiment",
        ),
    log:
        f"{LOG}/tables/conditions.log",
    benchmark:
        f"{BENCHMARK}/tables/conditions.tsv"
    conda:
        ENVIRONMENT
    params:
        config=config,
        code=code("conditions_table.py"),
    script:
        "../scripts/conditions_table.py"


rule accuracy_table:
    input:
        [ACCURACY.format(**sample) for sample in SAMPLES],
    output:
        report(
            f"{TABLES}/accuracy.csv",
            caption="../report/tables.rst",
            category="Tables",
            subcategory="Experiment",
        ),
    log:
        f"{LOG}/tables/accuracy.log",
    benchmark:
        f"{BENCHMARK}/tables/accuracy.tsv"
    conda:
        ENVIRONMENT
    params:
        code=code("accuracy_table.py"),
    script:
        "../scripts/accuracy_table.py"


rule training_table:
    input:
        expand(
            f"{NETWORK}/epochs.csv",
            dataset=EXPERIMENT.datasets,
            network=[network.name for network in EXPERIMENT.trained],
        ),
    output:
        f"{TABLES}/fig1_training.csv",
    log:
        f"{LOG}/tables/fig1_training.log",
    benchmark:
        f"{BENCHMARK}/tables/fig1_training.tsv"
    conda:
        ENVIRONMENT
    params:
        networks=[
            (dataset, network.architecture, network.seed)
            for dataset in EXPERIMENT.datasets
            for network in EXPERIMENT.trained
        ],
        code=code("training_table.py"),
    script:
        "../scripts/training_table.py"


rule stimulus_tiles:
    input:
        identity=STIMULI.format(dataset=EXPERIMENT.datasets[0], slug="id"),
        conditions=[
            STIMULI.format(dataset=EXPERIMENT.datasets[0], slug=condition.slug)
            for condition in EXPERIMENT.conditions
        ],
    output:
        png=f"{TABLES}/fig1_stimuli.png",
        csv=f"{TABLES}/fig1_stimuli.csv",
        duplicates=f"{TABLES}/duplicate_conditions.csv",
    log:
        f"{LOG}/tables/fig1_stimuli.log",
    benchmark:
        f"{BENCHMARK}/tables/fig1_stimuli.tsv"
    conda:
        ENVIRONMENT
    params:
        code=code("stimulus_tiles.py"),
    script:
        "../scripts/stimulus_tiles.py"


for number in FIGURES[1:]:

    rule:
        name:
            f"fig{number}_tables"
        input:
            scores=figure_scores(number),
            accuracy=figure_accuracy(number),
            setting=setting_tables(number),
        output:
            report(
                figure_tables(number),
                caption="../report/tables.rst",
                category="Tables",
                subcategory=f"Figure {number}",
            ),
        log:
            f"{LOG}/tables/fig{number}.log",
        benchmark:
            f"{BENCHMARK}/tables/fig{number}.tsv"
        conda:
            ENVIRONMENT
        resources:
            mem_mb=growing(2000),
            runtime=growing(30),
        params:
            number=number,
            code=code("figure_tables.py"),
        script:
            "../scripts/figure_tables.py"


for number in FIGURES:

    rule:
        name:
            f"fig{number}"
        input:
            tables=figure_tables(number),
            setting=setting_tables(number),
        output:
            pdf=report(
                FIGURE.format(number=number, extension="pdf"),
                caption=f"../report/fig{number}.rst",
                category="Figures",
                labels={"figure": f"{number}", "format": "PDF"},
            ),
            png=report(
                FIGURE.format(number=number, extension="png"),
                caption=f"../report/fig{number}.rst",
                category="Figures",
                labels={"figure": f"{number}", "format": "PNG"},
            ),
        log:
            f"{LOG}/figures/fig{number}.log",
        benchmark:
            f"{BENCHMARK}/figures/fig{number}.tsv"
        conda:
            ENVIRONMENT
        params:
            number=number,
            code=code("figure.py", f"figures.fig{number}"),
        script:
            "../scripts/figure.py"


rule claims:
    input:
        tables=[table for number in FIGURES for table in figure_tables(number)],
        setting=[table for number in FIGURES for table in setting_tables(number)],
    output:
        report(
            f"{RESULTS}/claims.json",
            caption="../report/claims.rst",
            category="Claims",
        ),
    log:
        f"{LOG}/claims.log",
    benchmark:
        f"{BENCHMARK}/claims.tsv"
    conda:
        ENVIRONMENT
    params:
        code=code("claims.py"),
    script:
        "../scripts/claims.py"

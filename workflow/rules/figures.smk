"""Tables of numbers, the figures drawn from them, and the claims they decide."""

for facts in ("datasets", "layers", "conditions", "accuracy"):

    rule:
        name:
            f"{facts}_table"
        input:
            files(f"{facts}_table", "files"),
        output:
            report(
                PATHS.table(facts),
                caption="../report/tables.rst",
                category="Tables",
                subcategory="Experiment",
            ),
        log:
            log(f"{facts}_table"),
        benchmark:
            benchmark(f"{facts}_table")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=memory(f"{facts}_table"),
            runtime=minutes(f"{facts}_table"),
        params:
            **DESIGN.job(f"{facts}_table").params,
        script:
            f"../scripts/{facts}_table.py"


rule training_table:
    input:
        files("training_table", "curves"),
    output:
        PATHS.table("fig1_training"),
    log:
        log("training_table"),
    benchmark:
        benchmark("training_table")
    conda:
        ENVIRONMENT
    params:
        networks=value("training_table", "networks"),
    script:
        "../scripts/training_table.py"


rule stimulus_tiles:
    input:
        identity=files("stimulus_tiles", "identity"),
        conditions=files("stimulus_tiles", "conditions"),
    output:
        png=f"{PATHS.tables}/fig1_stimuli.png",
        csv=PATHS.table("fig1_stimuli"),
        duplicates=PATHS.table("duplicate_conditions"),
    log:
        log("stimulus_tiles"),
    benchmark:
        benchmark("stimulus_tiles")
    conda:
        ENVIRONMENT
    script:
        "../scripts/stimulus_tiles.py"


for number in FIGURES[1:]:
    tables_job = DESIGN.job(f"fig{number}_tables")

    rule:
        name:
            tables_job.rule
        input:
            **tables_job.inputs,
        output:
            report(
                tables_job.outputs,
                caption="../report/tables.rst",
                category="Tables",
                subcategory=f"Figure {number}",
            ),
        log:
            PATHS.log(tables_job.name),
        benchmark:
            PATHS.benchmark(tables_job.name)
        conda:
            ENVIRONMENT
        resources:
            mem_mb=memory(tables_job.rule),
            runtime=minutes(tables_job.rule),
        params:
            number=number,
        script:
            "../scripts/figure_tables.py"


for number in FIGURES:
    figure_job = DESIGN.job(f"fig{number}")

    rule:
        name:
            figure_job.rule
        input:
            **figure_job.inputs,
        output:
            pdf=report(
                PATHS.figure.format(number=number, extension="pdf"),
                caption=f"../report/fig{number}.rst",
                category="Figures",
                labels={"figure": f"{number}", "format": "PDF"},
            ),
            png=report(
                PATHS.figure.format(number=number, extension="png"),
                caption=f"../report/fig{number}.rst",
                category="Figures",
                labels={"figure": f"{number}", "format": "PNG"},
            ),
        log:
            PATHS.log(figure_job.name),
        benchmark:
            PATHS.benchmark(figure_job.name)
        conda:
            ENVIRONMENT
        params:
            number=number,
        script:
            "../scripts/figure.py"


rule claims:
    input:
        **DESIGN.job("claims").inputs,
    output:
        report(
            PATHS.claims,
            caption="../report/claims.rst",
            category="Claims",
        ),
    log:
        log("claims"),
    benchmark:
        benchmark("claims")
    conda:
        ENVIRONMENT
    script:
        "../scripts/claims.py"

"""Tables of numbers, the figures drawn from them, and the claims they decide."""


rule datasets_table:
    input:
        files("datasets_table", "files"),
    output:
        report(
            PATHS.table("datasets"),
            caption="../report/tables.rst",
            category="Tables",
            subcategory="Experiment",
        ),
    log:
        log("datasets_table"),
    benchmark:
        benchmark("datasets_table")
    conda:
        ENVIRONMENT
    params:
        datasets=value("datasets_table", "datasets"),
        code=code("datasets_table.py"),
    script:
        "../scripts/datasets_table.py"


rule layers_table:
    input:
        files("layers_table", "files"),
    output:
        report(
            PATHS.table("layers"),
            caption="../report/tables.rst",
            category="Tables",
            subcategory="Experiment",
        ),
    log:
        log("layers_table"),
    benchmark:
        benchmark("layers_table")
    conda:
        ENVIRONMENT
    params:
        architectures=value("layers_table", "architectures"),
        code=code("layers_table.py"),
    script:
        "../scripts/layers_table.py"


rule conditions_table:
    input:
        files("conditions_table", "files"),
    output:
        report(
            PATHS.table("conditions"),
            caption="../report/tables.rst",
            category="Tables",
            subcategory="Experiment",
        ),
    log:
        log("conditions_table"),
    benchmark:
        benchmark("conditions_table")
    conda:
        ENVIRONMENT
    params:
        conditions=value("conditions_table", "conditions"),
        code=code("conditions_table.py"),
    script:
        "../scripts/conditions_table.py"


rule groups_table:
    output:
        report(
            PATHS.table("groups"),
            caption="../report/tables.rst",
            category="Tables",
            subcategory="Experiment",
        ),
    log:
        log("groups_table"),
    benchmark:
        benchmark("groups_table")
    conda:
        ENVIRONMENT
    params:
        groups=value("groups_table", "groups"),
        code=code("groups_table.py"),
    script:
        "../scripts/groups_table.py"


rule accuracy_table:
    input:
        files("accuracy_table", "files"),
    output:
        report(
            PATHS.table("accuracy"),
            caption="../report/tables.rst",
            category="Tables",
            subcategory="Experiment",
        ),
    log:
        log("accuracy_table"),
    benchmark:
        benchmark("accuracy_table")
    conda:
        ENVIRONMENT
    params:
        code=code("accuracy_table.py"),
    script:
        "../scripts/accuracy_table.py"


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
        code=code("training_table.py"),
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
    params:
        code=code("stimulus_tiles.py"),
    script:
        "../scripts/stimulus_tiles.py"


for number in TABULATED_FIGURES:
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
            DESIGN.log(tables_job),
        benchmark:
            DESIGN.benchmark(tables_job)
        conda:
            ENVIRONMENT
        resources:
            mem_mb=memory(tables_job.rule),
            runtime=minutes(tables_job.rule),
        params:
            number=number,
            code=figure_code("figure_tables.py", number, "DATA"),
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
                caption="../report/figure.rst",
                category="Figures",
                labels={"figure": f"{number}", "format": "PDF"},
            ),
            png=report(
                PATHS.figure.format(number=number, extension="png"),
                caption="../report/figure.rst",
                category="Figures",
                labels={"figure": f"{number}", "format": "PNG"},
            ),
        log:
            DESIGN.log(figure_job),
        benchmark:
            DESIGN.benchmark(figure_job)
        conda:
            ENVIRONMENT
        params:
            number=number,
            title=figures()[number].TITLE,
            about=figures()[number].ABOUT,
            looks=LOOKS,
            code=figure_code("figure.py", number, "draw"),
        script:
            "../scripts/figure.py"


rule claims_file:
    input:
        **DESIGN.job("claims_file").inputs,
    output:
        report(
            PATHS.claims,
            caption="../report/claims.rst",
            category="Claims",
        ),
    log:
        log("claims_file"),
    benchmark:
        benchmark("claims_file")
    conda:
        ENVIRONMENT
    params:
        made=value("claims_file", "made"),
        code=code("claims_file.py"),
    script:
        "../scripts/claims_file.py"


rule claims:
    input:
        PATHS.claims,
    log:
        log("claims"),
    conda:
        ENVIRONMENT
    script:
        "../scripts/claims.py"

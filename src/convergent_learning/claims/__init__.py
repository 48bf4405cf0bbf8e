"""The paper's claims as verdicts computed from the tables; nothing here is set by hand."""

"""One module per figure, with `draw(tables, out_pdf, out_png)` and `caption(tables)`; no torch."""

"""One module a figure: `draw(tables, out_pdf, out_png)` and `caption(tables)`; imports no torch."""

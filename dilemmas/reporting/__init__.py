"""Figures, matrices and tables of a study, from the tidy frames of its analysis.

    figures.every(analysis)          every figure as a `Drawn`: SVG text, caption and the frame behind it
    tables.every(personas, categories, effects)
                                     every table as data (`Table`); `markdown` and `latex` write one
    matrices.cells(dilemmas, by)     AD and AR of each value (or topic) in each condition: one tidy frame
    matrices.grid(cells, model, metric)
                                     one model's as rows of shaded cells, for a table on a page

A `Drawn` has `kind`, `model` (empty if it shows all of them) and `metric` to find it by, and `name`, fit for
a file. Its SVG is whole by itself, the same bytes every time, and safe to stand in a page: every text in it
is escaped, it has no script and asks for nothing. Ink is `currentColor` and the ground transparent, so it
takes the colours of a light page and of a dark one. Marks carry `<title>`, which browsers show on hover.

    conditions   which conditions there are, in reading order, with the titles they have in figures and tables
    style        colours, marks and words that figures, matrices and tables share
    canvas       from a matplotlib figure to SVG text
    intervals    estimates with intervals, a line each: `levels`, `deltas` and `validity` draw with it
    shades       numbers as colours: `matrices` and `places` draw with it
    answers      the distributions of stated and acted answers
"""

"""`landfast audit report`: what the log proves about a period, for people who were not there.

Everything comes from entries of the log that are verified in the same pass. `gathering` takes them in, `document` is
all of it as plain data (what `--json` prints), `page` and `paper` show that data as HTML and as PDF.
"""

"""
Log lines as they are: ``POST /v1/lines``, newline-separated, any shape per line.

Spoken by our agent and by curl. ``Fuseboard-Format`` says what the lines are (``json``, ``logfmt``, ``cri``, ``docker``,
``syslog``, ``access``, ``text``); without it each line is detected. The lines are split by ``logs.sql``; what they become is said by ``../_lines.sql``, which all formats of text share.
"""

"""
Log lines as they are: ``POST /v1/lines``, newline-separated, any shape per line.

Spoken by our agent and by curl. ``Fuseboard-Format`` says what the lines are (``json``, ``logfmt``, ``cri``, ``docker``,
``text``; ``syslog`` and ``access`` lines are taken as text for now); without it each line is detected. The lines are split, parsed and mapped by ``logs.sql`` only.
"""

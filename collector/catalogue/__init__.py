"""
The catalogue: who owns a service, where its runbook and documents are, what was promised of it.

In: ``catalogue_file`` (YAML, read again when it changes), ``PUT /api/v1/catalogue/{service}`` (kept in `state/`), and
the resource attributes ``fuseboard.<field>`` that services send. Out: one entry per service, each field with where it came
from, and a score of what is missing. What was put wins over the file, the file over attributes.

::

    entry.py   the fields of an entry and what they may be
    file.py    catalogue.yaml
    book.py    the three sources as one
"""

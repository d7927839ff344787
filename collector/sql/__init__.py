"""
SQL that people write, let through to ClickHouse or refused: the one guard of ``/clickhouse/`` and of ``POST /api/v1/sql``.

``console.py``     `Console`: text of a person -> `Prepared` text that may run, and the settings it runs under
``tree.py``        the walk over the engine's own syntax tree: statements, tables, functions, settings, by allow-lists
``plain.py``       DESCRIBE, EXISTS and SHOW CREATE, which the engine gives no tree for
``functions.py``   which functions may be called: those of the engine, minus the reviewed ones that reach outside the rows
``tables.py``      which tables may be read
``changes.py``     which settings may be changed, within which bounds; which formats an answer may have

In: text. Out: text that was made from the checked tree, never the text that came in. Nothing here runs it.
"""

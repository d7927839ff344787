"""
The terminal: what an engineer asks from a shell, over the same HTTP API as the pages.

``commands/``    the commands and their options, for ``collector/__main__.py``
``asking.py``    what the commands share: options, the way to the collector
``address.py``   which collector, and whose key: options, environment, file
``remote.py``    requests, and whatever fails as a sentence
``waiting.py``   how far a slow question is, on standard error
``output.py``    tables on a terminal, JSON lines anywhere else; exit codes
``plain.py``     texts of strangers made harmless, times, carets
``records.py``   log records: listed, followed, as patterns
``waterfall.py`` one trace as a tree with bars; ``traces.py`` the list
``board.py``     breakers and services; ``oncall.py`` incidents and silences; ``work.py`` deploys, queues, what presses services
``metrics.py``   PromQL; ``statements.py`` SQL
``managing.py``  keys and the quarantine, for admins
``tail.py``      server-sent events, resumed where they broke off

Imports nothing of the rest of the collector: it works against any collector by its URL. Whatever is heavy (httpx, rich) is imported where it is used, so
that ``fuseboard --help`` is quick. In: arguments and HTTP answers. Out: standard output, and an exit code as grep's: 0 found, 1 nothing found, 2 an error, 130
interrupted.
"""

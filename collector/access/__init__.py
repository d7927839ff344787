"""
Who may come in, beyond the keys of the settings: keys made through the API, people and their sessions.

``roster.py``     what stands in `state/`, in memory: read again when its version moved on; the ingest path asks it and nothing else
``keys.py``       made, rotated, revoked
``people.py``     added, changed, disabled; the last one who may manage cannot be
``sessions.py``   a name and a password -> a token that stands for the person
``oidc/``         signing in through an OpenID provider, where one is set
``whole.py``      all of it, as the API and the composition root hold it
``passwords.py``  scrypt, a bounded number at a time; ``attempts.py`` how often somebody may be wrong; ``address.py`` where they are
``secret.py``     what secrets look like, and their digests

In: transactions of `state/`. Out: `collector.receive.authenticate.Key` by digest. Every collector that shares the state knows of a change within
`roster.EVERY_S`; while the state is away, what was known last goes on.
"""

from collector.access.whole import Access

__all__ = ["Access"]

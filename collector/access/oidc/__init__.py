"""
Signing in through an OpenID provider: the authorisation code flow with PKCE.

``settings.py``   what the provider is and who may come in, its secret read
``provider.py``   discovery and keys, cached and renewed; the code exchanged; an ID token judged
``flow.py``       one sign-in, from the browser that leaves to the one that comes back: state, nonce, verifier, sealed
``person.py``     what a provider says of somebody -> a name and a role, or why not

In: ``[oidc]`` of the settings, a browser's redirects. Out: a session like that of a password (`collector.access.sessions`). Nothing is kept of a sign-in before
it is over: what it needs travels in the browser's cookie, signed. Needs the extra ``oidc``; imported only where ``[oidc]`` is set.
"""

"""
Version 1 of the API: one file per resource, each with its row models and its routes.

``logs`` · ``traces`` · ``services`` · ``topology`` (``/map``) · ``breakers`` · ``ledger`` (and agents) · ``catalogue`` (endpoints,
deploys) · ``alerts`` (rules, pipeline) · ``receivers`` (deliveries) · ``views``
"""

"""
A small real shop to look at: seven services, one process each, under a steady load, with faults to switch on.

What lives here, in the order a request meets it::

    load.py            the customers: a seeded plan of journeys, played against the gateway
    services/          one file per service: its routes and its rules
      gateway          the only door; GET /products, /v1/cart, /v2/cart, POST /v2/orders, …
      catalog          products; reads the shop database
      cart             carts in memory; GET /v1/cart (old) and GET /v2/cart; asks catalog for prices
      checkout         places orders: cart -> inventory -> payment -> queue "orders"
      payment          takes the money; declines some cards with a 402
      inventory        stock; writes the same shop database that catalog reads (on purpose: a finding to show)
      notifications    consumes the queue and tells the customer
    serving.py         server span, log line, metrics and faults around every route
    dependency.py      client span, breaker and bulkhead around every call to another service
    bulkhead.py breakers.py   the two guards; breakers log one transition line through agents/breakers
    database.py queue.py      SQLite files: the shared "database", the durable queue; with their spans (sqlite.py opens)
    faults.py          slow, errors, crash, down, leak: switched by POST /_fault
    telemetry.py metrics.py   OpenTelemetry SDK, structlog JSON lines, prometheus-client
    listener.py process.py    one service as one process
    orchestrator.py children.py sidecars.py ports.py state.py   ``up``: start all of them, restart what dies, stop in order
    topology.py        names, versions, owners, who calls whom
    pager.py           the webhook receiver that `fuseboard up --demo` starts beside the shop
    settings.py        what a service reads from its environment
    rules.yaml         the alert rule of the story

Commands::

    python -m demo up --collector http://127.0.0.1:4318 [--key K] [--seed N] [--rate R]
                      [--data-dir D] [--no-sidecars] [--base-port P]
    python -m demo fault SERVICE slow|errors|crash|down|leak --on|--off [--value V] [--data-dir D | --url URL]
    python -m demo service NAME
    python -m demo load --gateway URL [--seed N] [--rate R] [--duration S]

``up`` prints ``shop ready: http://127.0.0.1:<gateway port>`` when every service answers; SIGTERM stops the load,
then the services, then the agents (they drain), and exits 0. The key may also come as ``DEMO_KEY``. A fault's value is milliseconds for ``slow``
(default 800), percent of requests for ``errors`` (100), MiB for ``leak`` (200); ``crash`` ends the process
once, ``down`` refuses connections until it is switched off.

A service alone (``python -m demo service payment``; containers start it so) reads:

======================================  ===================================================================
``DEMO_HOST`` ``DEMO_PORT``             address it serves on; default 127.0.0.1 and 8000
``DEMO_CONTROL_PORT``                   loopback port that answers ``/_fault`` also while *down* is on; 8001
``DEMO_<NEIGHBOUR>_URL``                where a service it calls lives; default ``http://<neighbour>:8000``
``DEMO_DATA_DIR``                       holds ``shop.db`` (catalog, inventory) and ``queue.db`` (checkout,
                                        notifications); the services of a pair share it. ``.fuseboard/demo``
``DEMO_LOG_FILE``                       JSON lines go there, rotated by rename at 64 MiB; default: stdout
``DEMO_SEED``                           seed of the errors and delays that faults cause; 1
``DEMO_INSTANCE``                       ``service.instance.id``; default ``<service>-1``
``DEMO_ENV``                            ``deployment.environment.name``; ``demo``
``DEMO_VERSION``                        ``service.version``; default: topology.py
``OTEL_EXPORTER_OTLP_ENDPOINT``         base URL that takes OTLP/HTTP protobuf (the sidecar's relay);
                                        unset: spans are made (lines carry their ids) and not exported
``OTEL_RESOURCE_ATTRIBUTES``            further resource attributes
======================================  ===================================================================

``python -m demo load --gateway URL`` reads nothing from the environment. In a container, where there is no state
file, a fault is switched from inside: ``python -m demo fault payment errors --on --url http://127.0.0.1:8001``.
"""

"""
Syslog over TCP and UDP, off until ``syslog_port`` is set: what rsyslog, syslog-ng, network devices and loggers forward.

In:  messages of RFC 5424 or 3164; over TCP counted in octets (RFC 6587 §3.4.1) or ended by a newline or NUL, over UDP one a datagram.
Out: rows of ``logs``: APP-NAME is the service, HOSTNAME ``host.name``, PROCID, MSGID and structured data are attributes; the text goes through the same detection
as ``lines``. The body of a batch is messages with NULs between them (``listener`` gathers them).

Syslog has no answer: over TCP a sender is read no faster than its messages become durable; over UDP what finds no room is counted and gone.

Source: RFC 5424, RFC 3164, RFC 6587, RFC 5426
"""

"""
What can go wrong in the agent, drawn as a tree.

AgentError(code, message)
  WrongSetting       the process must not start: exit 2
  NoRoom             the spool is full and the policy is to wait
  SpoolUnavailable   the disk refuses: wait and try again
  Busy               the relay has as much in its hands as it may: come again
  BadRequest         a service sent the relay something it cannot take (status 4xx)
  Unreached          no byte of the request can have been taken by the collector
    Untrusted        its certificate is not one that we were told to trust: a person is needed
  UnknownFate        the request may have been taken: only the same collector knows
"""


class AgentError(Exception):
    """The root: *code* is a bounded slug for logs, answers and labels; *message* quotes the bad value."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class WrongSetting(AgentError):
    """A setting that is unknown or cannot be used; the message names it and quotes its value."""

    def __init__(self, setting: str, message: str) -> None:
        super().__init__("wrong_setting", f"setting {setting}: {message}")
        self.setting = setting


class NoRoom(AgentError):
    """The spool holds ``max_bytes`` already; the caller keeps its block and comes back."""

    def __init__(self, used_bytes: int, max_bytes: int) -> None:
        super().__init__("spool_full", f"the spool holds {used_bytes} of {max_bytes} bytes; nothing fits in")


class SpoolUnavailable(AgentError):
    """The disk under the spool refused (full, read-only, broken); nothing was acknowledged."""

    def __init__(self, reason: str) -> None:
        super().__init__("spool_unavailable", f"the spool cannot be written: {reason}")


class Busy(AgentError):
    """Too much at a time for the relay; nothing was taken."""

    def __init__(self, message: str) -> None:
        super().__init__("relay_busy", message)


class BadRequest(AgentError):
    """A request that the relay refuses for good, with the HTTP *status* it answers."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code, message)
        self.status = status


class Unreached(AgentError):
    """The connection was never made, so no collector has the block."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__("unreached", f"no connection to {url}: {reason}")


class Untrusted(Unreached):
    """The collector's certificate was not accepted; nothing was sent."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.code = "untrusted"


class UnknownFate(AgentError):
    """The request left, the answer did not arrive: the block may be stored."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__("unknown_fate", f"no answer from {url}: {reason}")

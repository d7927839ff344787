"""
Which settings a statement may change, and which formats its answer may have.

Everything else is refused rather than ignored: an answer under other settings than those asked for is a wrong answer. What has a
bound here may be lowered, not raised.
"""

from __future__ import annotations

from collections.abc import Mapping

from collector.errors import Forbidden

# They say how an answer is written or what NULL, an empty set or a time zone means; none reaches outside the statement.
_HARMLESS = frozenset(
    {
        "aggregate_functions_null_for_empty",
        "date_time_input_format",
        "date_time_output_format",
        "distinct_overflow_mode",
        "empty_result_for_aggregation_by_empty_set",
        "extremes",
        "final",
        "format_csv_delimiter",
        "group_by_overflow_mode",
        "group_by_use_nulls",
        "join_default_strictness",
        "join_use_nulls",
        "limit",
        "max_block_size",
        "max_threads",
        "offset",
        "optimize_read_in_order",
        "preferred_block_size_bytes",
        "prefer_column_name_to_alias",
        "session_timezone",
        "transform_null_in",
        "union_default_mode",
        "use_query_cache",
    }
)
_HARMLESS_PREFIX = "output_format_"
# Writes a file.
_NOT_HARMLESS = frozenset({"output_format_schema"})
# The bounds of `limits` that a statement may lower.
_BOUNDED = frozenset(
    {
        "max_bytes_to_read",
        "max_execution_time",
        "max_memory_usage",
        "max_result_bytes",
        "max_result_rows",
        "max_rows_to_read",
    }
)
# Of the HTTP interface or of a connection that we do not keep; sent by clients on every request and without effect here.
_NO_MATTER = frozenset(
    {
        "add_http_cors_header",
        "buffer_size",
        "cancel_http_readonly_queries_on_client_close",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "http_make_head_request",
        "http_response_buffer_size",
        "http_zlib_compression_level",
        "log_comment",
        "log_queries",
        "network_compression_method",
        "send_progress_in_http_headers",
        "wait_end_of_query",
    }
)
# Formats that need no schema file and write none.
_FORMATS = frozenset(
    {
        "arrow",
        "arrowstream",
        "csv",
        "csvwithnames",
        "csvwithnamesandtypes",
        "customseparated",
        "html",
        "json",
        "jsoncolumns",
        "jsoncolumnswithmetadata",
        "jsoncompact",
        "jsoncompactcolumns",
        "jsoncompacteachrow",
        "jsoncompacteachrowwithnames",
        "jsoncompacteachrowwithnamesandtypes",
        "jsoncompactstrings",
        "jsoncompactstringseachrow",
        "jsoncompactstringseachrowwithnames",
        "jsoncompactstringseachrowwithnamesandtypes",
        "jsoneachrow",
        "jsoneachrowwithprogress",
        "jsonlines",
        "jsonobjecteachrow",
        "jsonstrings",
        "jsonstringseachrow",
        "lineasstring",
        "markdown",
        "msgpack",
        "ndjson",
        "native",
        "null",
        "parquet",
        "pretty",
        "prettycompact",
        "prettycompactmonoblock",
        "prettycompactnoescapes",
        "prettyjsoneachrow",
        "prettymonoblock",
        "prettynoescapes",
        "prettyspace",
        "prettyspacenoescapes",
        "rowbinary",
        "rowbinarywithnames",
        "rowbinarywithnamesandtypes",
        "tskv",
        "tsv",
        "tsvraw",
        "tsvrawwithnames",
        "tsvrawwithnamesandtypes",
        "tsvwithnames",
        "tsvwithnamesandtypes",
        "tabseparated",
        "tabseparatedraw",
        "tabseparatedrawwithnames",
        "tabseparatedrawwithnamesandtypes",
        "tabseparatedwithnames",
        "tabseparatedwithnamesandtypes",
        "values",
        "vertical",
        "xml",
    }
)


def accepted(changes: Mapping[str, str], bounds: Mapping[str, str]) -> dict[str, str]:
    """
    Return the settings among *changes* that take effect.

    Args:
        changes: Name -> value as text.
        bounds: The limits every statement runs under; a value within its bound is taken, any other becomes the bound.

    Raises:
        Forbidden: ``sql_setting``: one of them may not be changed.
    """
    taken: dict[str, str] = {}
    for name, value in changes.items():
        if name in _BOUNDED:
            taken[name] = _lowered(value, bounds.get(name, "0"))
        elif name == "result_overflow_mode" and (value == "throw" or _cut(value, changes, bounds)):
            taken[name] = value
        elif name in _NO_MATTER or (name == "readonly" and value in {"1", "2"}):
            continue
        elif name in _HARMLESS or (name.startswith(_HARMLESS_PREFIX) and name not in _NOT_HARMLESS):
            taken[name] = value
        else:
            raise Forbidden("sql_setting", f"the setting {name[:80]} may not be changed here", name[:80])
    return taken


def _cut(mode: str, changes: Mapping[str, str], bounds: Mapping[str, str]) -> bool:
    """Whether an answer may end at the rows the client itself says it wants: what JDBC drivers mean by setMaxRows. Our own limit never cuts."""
    rows = changes.get("max_result_rows", "")
    return mode == "break" and rows.isdigit() and _lowered(rows, bounds.get("max_result_rows", "0")) == rows


def _lowered(value: str, bound: str) -> str:
    try:
        asked, most = float(value), float(bound)
    except ValueError:
        return bound
    if most and not 0 < asked <= most:  # also when it is not a number
        return bound
    return value


def checked_format(name: str) -> str:
    """
    Return *name*.

    Raises:
        Forbidden: ``sql_format``: such an answer is not given.
    """
    if name.lower() not in _FORMATS:
        raise Forbidden("sql_format", f"FORMAT {name[:80]} is not given here", "FORMAT")
    return name

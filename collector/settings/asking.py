"""What a question may cost: of the API and pages, of people's SQL, of exports and live tails."""

from __future__ import annotations

from pydantic import Field

from collector.settings.frozen import Subject


class AskingFields(Subject):
    """Bounds of statements and answers."""

    # Somebody waits for the answer: beyond half a minute a narrower question is the quicker way.
    query_timeout_s: float = Field(
        30.0,
        gt=0,
        le=600,
        description="Seconds a question to ClickHouse may take, all its statements together.",
    )
    # A quarter of what a small machine has; what needs more groups by nearly every row.
    query_memory_bytes: int = Field(
        2_000_000_000, ge=64 << 20, description="Bytes of memory a statement of API and pages may take."
    )
    # Every statement of ours has a LIMIT below this: it is for those that somebody will write.
    query_result_rows: int = Field(
        1_000_000, ge=1, description="Rows a statement of API and pages may answer; beyond it, an error."
    )
    query_result_bytes: int = Field(
        256 << 20,
        ge=1 << 20,
        description="Bytes a statement of API and pages may answer; beyond it, an error.",
    )
    # More than a large machine reads in query_timeout_s: ClickHouse counts from the index and refuses before it begins.
    query_read_rows: int = Field(
        10_000_000_000, ge=0, description="Rows a statement of API and pages may read; 0 = any."
    )
    # Rows that moved to S3 are paid for by what is fetched.
    query_read_bytes: int = Field(
        1 << 40, ge=0, description="Bytes, uncompressed, a statement of API and pages may read; 0 = any."
    )
    # Each uses every core: more at once make all of them slower, alerts and loading too.
    query_at_once: int = Field(
        8, ge=1, le=64, description="Statements of API and pages that run at once; more wait, then get a 503."
    )
    # A quarter of what a small machine has; the same bound as the API's own statements.
    sql_memory_bytes: int = Field(
        2_000_000_000, ge=64 << 20, description="Bytes of memory a person's SQL statement may take."
    )
    # More is an export, not an answer; the embedded engine holds the whole answer before it is sent.
    sql_result_rows: int = Field(
        1_000_000, ge=1, description="Rows a person's SQL statement may answer; beyond it, an error."
    )
    sql_result_bytes: int = Field(
        256 << 20, ge=1 << 20, description="Bytes a person's SQL statement may answer; beyond it, an error."
    )
    # As for the API's own statements.
    sql_read_rows: int = Field(
        10_000_000_000, ge=0, description="Rows a person's SQL statement may read; 0 = any."
    )
    sql_read_bytes: int = Field(
        1 << 40, ge=0, description="Bytes, uncompressed, a person's SQL statement may read; 0 = any."
    )
    export_rows: int = Field(1_000_000, ge=1, description="Log records that one export may have.")
    tail_viewers: int = Field(
        100, ge=0, le=10_000, description="Live tails watched at a time; 0 = the live tail is off."
    )
    # each is a condition of the one statement that is asked twice a second
    tail_searches: int = Field(32, ge=1, le=256, description="Different searches among them.")

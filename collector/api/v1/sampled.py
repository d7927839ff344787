"""What every answer says whose numbers rest on traces that may have been sampled."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Sampling(BaseModel):
    """How much was kept."""

    spans: int = Field(description="That the numbers rest on.")
    calls: int = Field(description="Estimated: what those spans stand for, by the probabilities they tell.")
    ratio: float = Field(description="Share that was kept, 0 to 1.")


class Sampled(BaseModel):
    """Counts, rates and ratios are weighted by the spans' sampling probabilities; durations are those of the spans kept."""

    sampled: bool = Field(description="Whether some of its traces were not kept.")
    sampling: Sampling | None = Field(description="Null: nothing was sampled.")

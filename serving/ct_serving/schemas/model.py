"""The model that answers, those before it, and whether there is one."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from ct_serving.schemas.predictions import ModelIdentity


class Reason(BaseModel):
    """A decision of the pipeline: its code, and its sentence in the language that was asked for."""

    code: str = Field(examples=["PROMOTE_BETTER"])
    text: str
    decided_at: datetime
    decision_id: UUID
    policy: str | None = Field(examples=["strict 1"])


class Reign(BaseModel):
    """A version's time in production."""

    version: str
    since: datetime
    until: datetime | None = Field(description="null for the version that is there now")
    event: str = Field(description="promoted, rolled_back or alias_moved_by_hand")
    dag_id: str
    run_id: str
    trained_because: Reason | None
    in_production_because: Reason | None


class ModelHistory(BaseModel):
    """Who was in production when, newest first, according to the ledger."""

    model: str
    language: str
    reigns: list[Reign]


class Degraded(BaseModel):
    """A part that does not work as it should, in words."""

    part: str = Field(examples=["database"])
    detail: str


class Readiness(BaseModel):
    """Whether prices can be had, and what is degraded."""

    status: str = Field(examples=["ready"])
    reason: str | None = None
    model: ModelIdentity | None = None
    degraded: list[Degraded] = []


class Liveness(BaseModel):
    """The process answers."""

    status: str = Field(examples=["live"])


class ModelDescription(ModelIdentity):
    """The model that answers: where it comes from and what it takes."""

    loaded_at: datetime
    interval_level: float
    inputs: list[dict[str, Any]]
    known_values: dict[str, int] = Field(description="how many different values of a field the model has learned")
    tags: dict[str, str]
    description: str


class ReloadAnswer(BaseModel):
    """What a reload did: loaded, unchanged, failed, no_model or unavailable."""

    result: str
    detail: str
    model: ModelIdentity | None = None

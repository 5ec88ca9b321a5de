"""Approve: ask a person about a promotion that the policy holds for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.standard.operators.hitl import HITLBranchOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict

from continuous_training.exceptions import TaskContractError

if TYPE_CHECKING:
    from airflow.sdk import Context

APPROVE = "Approve"
REJECT = "Reject"
COMMENT = "comment"


class ApproveOperator(HITLBranchOperator):
    """Show what was decided and why, wait for a person, and follow their answer.

    The task takes no worker while it waits. Its result is the answer, as the input ``approval`` of the promote step wants it:
    ``answer`` (``approve``, ``reject``, or ``expired`` where nobody answered in time, which is followed like a rejection),
    ``author``, ``answered_at``, ``comment`` and ``timeout_seconds``.

    :param verdict: the result of the evaluate step that holds a promotion (templated).
    :param approved: the task that follows an approval.
    :param rejected: the task that follows a rejection, and a question that expired.
    :param response_timeout: how long the question stands; None for ever.
    """

    template_fields: Sequence[str] = (*HITLBranchOperator.template_fields, "verdict")
    template_fields_renderers: ClassVar[dict[str, str]] = {"verdict": "json", "body": "md"}

    def __init__(
        self,
        *,
        verdict: Any,
        approved: str = "promote",
        rejected: str = "reject",
        response_timeout: timedelta | None = timedelta(hours=24),
        subject: str = "",
        body: str = "",
        params: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        form = ParamsDict(dict(params) if params and not isinstance(params, ParamsDict) else params)
        form.update({COMMENT: Param(None, type=["null", "string"], description="Why; kept with the decision", source="task")})
        super().__init__(
            subject=subject,
            body=body,
            options=[APPROVE, REJECT],
            defaults=REJECT,
            options_mapping={APPROVE: approved, REJECT: rejected},
            params=form,
            response_timeout=response_timeout,
            **kwargs,
        )
        self.verdict = verdict

    def execute(self, context: Context) -> Any:
        """Ask. Raises TaskContractError if the verdict has no question."""
        summary = self.verdict.get("summary") if isinstance(self.verdict, Mapping) else None
        asked = summary.get("question") if isinstance(summary, Mapping) else None
        if not isinstance(asked, Mapping):
            raise TaskContractError(
                "approve: the result of evaluate has no question for a person: use images and a provider of one release. "
                "Production stays as it is"
            )
        self.subject = self.subject or str(asked["subject"])
        self.body = self.body or str(asked["body"])
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Follow the answer and return it."""
        answer = self._answer(event)
        # Following it ends the task by an exception wherever a branch is skipped, so the result is kept before.
        context["ti"].xcom_push(key="return_value", value=answer)
        super().execute_complete(context, event)
        return answer

    def _answer(self, event: Mapping[str, Any]) -> dict[str, Any]:
        person = event.get("responded_by_user") or {}
        expired = bool(event.get("timedout")) or not person
        approved = event["chosen_options"] == [APPROVE]
        return {
            "answer": "expired" if expired else "approve" if approved else "reject",
            "author": "" if expired else str(person.get("name") or person.get("id") or ""),
            "answered_at": event["responded_at"].isoformat(),
            "comment": str((event.get("params_input") or {}).get(COMMENT) or ""),
            "timeout_seconds": self.response_timeout.total_seconds() if self.response_timeout else None,
        }

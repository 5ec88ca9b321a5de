"""Answer one question on standard output: ``python -m ct_records``, told by ``CT_INPUT`` like a step.

The log goes to standard error. The exit status is 0 for an answer, 10 for a comparison that found differences, and 2 if there
is no answer. No result file is written: an answer is text for the one who asked, and may be long.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from ct_contract import ContractError, StepError, TaskInput
from ct_contract.call import INPUT_VARIABLE
from ct_decisions.policy import PolicyError

from ct_records.answers import NO_ANSWER
from ct_records.comparison import answer_compare
from ct_records.lineage import answer_lineage

log = logging.getLogger(__name__)

QUESTIONS: Mapping[str, Callable[[Mapping[str, Any]], int]] = {"compare": answer_compare, "lineage": answer_lineage}


def main() -> int:
    """Answer; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s", stream=sys.stderr)
    try:
        inputs = TaskInput.from_json(os.environ.get(INPUT_VARIABLE) or "{}").inputs
        return _answer(inputs)(inputs)
    except (PolicyError, ContractError, StepError, psycopg.Error) as error:
        log.error("%s", str(error).strip())  # noqa: TRY400 - the message says it all
        return NO_ANSWER


def _answer(inputs: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], int]:
    question = str(inputs.get("question"))
    if question not in QUESTIONS:
        raise ContractError(f"question is {question!r}, expected one of {', '.join(QUESTIONS)}")
    return QUESTIONS[question]


if __name__ == "__main__":
    raise SystemExit(main())

"""How a task image's ending becomes Airflow's.

AirflowFailException (no retry)
├── ConfigurationError   a setting is missing or impossible
├── ImagePullError       the cluster cannot have the task's image
├── TaskContractError    image and provider do not speak the same contract
└── BadDataError         status 65: the data are at fault
AirflowException (retried)
├── TryLaterError        status 75: something outside is away for now
├── ClusterUnavailableError  the Kubernetes API does not answer
├── TaskResultMissingError   status 0 without a result: nothing passes silently
└── TaskError            any other status
AirflowSkipException
└── NothingToDoError     status 99
"""

from __future__ import annotations

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException


class ConfigurationError(AirflowFailException):
    """A setting is missing or impossible; the message names it and says what to set."""


class ImagePullError(AirflowFailException):
    """The cluster cannot have the task's image, which the message names; time-outs of a busy registry are waited for."""


class TaskContractError(AirflowFailException):
    """The result does not keep the contract, as happens with an image of another release."""


class BadDataError(AirflowFailException):
    """The data are at fault; a retry cannot help."""


class TryLaterError(AirflowException):
    """Something outside is away for now; a retry may help."""


class ClusterUnavailableError(AirflowException):
    """The Kubernetes API does not answer. A pod that runs goes on, and the next try takes it up again."""


class TaskResultMissingError(AirflowException):
    """A task ended well but left no result. Tasks are idempotent, so a retry gives it again."""


class TaskError(AirflowException):
    """A task ended with an error; its log says which."""


class NothingToDoError(AirflowSkipException):
    """There is nothing to do: a skip, no failure."""

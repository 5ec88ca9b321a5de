"""A try of a step that ends between two calls to the registry, as a killed process does."""

from ct_decisions.registry import Registry

CALLS = (
    "set_registered_model_alias", "set_model_version_tag", "delete_registered_model_alias", "update_model_version", "log_text",
)  # fmt: skip
"""Whatever a step changes in MLflow."""


class KilledError(BaseException):
    """No step catches it."""


def try_until(monkeypatch, module, last, attempt):
    """Call ``attempt`` with ``module``'s registry letting ``last`` changing calls through; the next one kills.

    Whether it was killed; False where the whole try takes no more calls than that.
    """
    made = []

    def registry():
        found = Registry()
        for name in CALLS:
            call = getattr(found.client, name)

            def counted(*args, _call=call, **kwargs):
                if len(made) == last:
                    raise KilledError
                made.append(args)
                return _call(*args, **kwargs)

            monkeypatch.setattr(found.client, name, counted)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(module, "Registry", registry)
        try:
            attempt()
        except KilledError:
            return True
    return False

"""scikit-learn's conventions for an estimator, without importing scikit-learn before it is needed.

A class that derives from `Estimator` stores its constructor's arguments under their own names and does nothing else in
its constructor; what it learns ends in an underscore.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any, TypeVar

from ...errors import ConfigError, UserError, did_you_mean

Own = TypeVar("Own", bound="Estimator")


class Estimator:
    """get_params, set_params, a repr and the tags that `sklearn.base.clone`, pipelines and searches need."""

    @classmethod
    def _parameters(cls) -> dict[str, inspect.Parameter]:
        found = dict(inspect.signature(cls.__init__).parameters)
        del found["self"]
        return found

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments as they are now."""
        return {name: getattr(self, name) for name in sorted(self._parameters())}

    def set_params(self: Own, **params: Any) -> Own:
        """Changes some of the constructor's arguments.

        Raises:
            ConfigError: there is no such argument; the nearest is offered.
        """
        known = self._parameters()
        for name in params:
            if name not in known:
                raise _unknown_parameter(
                    f"{type(self).__name__} has no parameter {name!r}.{did_you_mean(name, known)} "
                    f"It has: {', '.join(sorted(known))}"
                )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        changed = [
            f"{name}={getattr(self, name)!r}"
            for name, parameter in self._parameters().items()
            if not _same(getattr(self, name), parameter.default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags

        inputs = InputTags(two_d_array=True, categorical=True, string=True, allow_nan=True)
        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            input_tags=inputs,
            non_deterministic=False,
            no_validation=True,
        )

    def __sklearn_is_fitted__(self) -> bool:
        return any(name.endswith("_") and not name.startswith("_") for name in vars(self))

    def _need_fitted(self, what: str) -> None:
        """Refuses to go on before `fit`.

        Raises:
            NotFittedError: which is a UserError, too.
        """
        if not self.__sklearn_is_fitted__():
            raise not_fitted(
                f"this {type(self).__name__} has learnt nothing yet, so it cannot {what}: call fit(data) first, "
                "or load a saved one"
            )


def _same(a: Any, b: Any) -> bool:
    try:
        return bool(a is b or a == b)
    except (TypeError, ValueError):  # arrays and frames compare element by element
        return False


@cache
def _not_fitted_class() -> type[UserError]:
    try:
        from sklearn.exceptions import NotFittedError
    except ImportError:
        return UserError
    return type("NotFittedError", (UserError, NotFittedError), {"__module__": __name__})


def not_fitted(message: str) -> UserError:
    """An error that is scikit-learn's NotFittedError and one of ours."""
    return _not_fitted_class()(message)


class _ParameterError(ConfigError, ValueError):
    """An unknown parameter; a ValueError, too, as scikit-learn has it."""


def _unknown_parameter(message: str) -> ConfigError:
    return _ParameterError(message)

"""The command `aoienet`: one file per verb, found by themselves.

A verb is a module of this package whose name does not begin with "_" and that has `register(app)`. Verbs import what
is heavy inside
their functions, so that `aoienet --help` stays fast. Exit codes: 0 done, 1 wrong use, 2 done but some inputs failed,
130 interrupted, 143 terminated (`train`).
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

CLICK_ERROR: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


class Verbs(TyperGroup):
    """The group of verbs; wrong use ends with exit code 1, not 2."""

    def main(
        self,
        args: Any = None,
        prog_name: Any = None,
        complete_var: Any = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        call = functools.partial(super().main, args, prog_name, complete_var, False, windows_expand_args, **extra)
        if not standalone_mode:
            return call()
        try:
            code = call()
        except CLICK_ERROR as error:
            _wrong_use(error)
        except (KeyboardInterrupt, typer.Abort):
            print("interrupted", file=sys.stderr)
            raise SystemExit(130) from None
        raise SystemExit(code if isinstance(code, int) else 0)


def _wrong_use(error: Any) -> NoReturn:
    text = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        print(text)
        raise SystemExit(0) from None
    print(f"error: {text}", file=sys.stderr)
    context = getattr(error, "ctx", None)
    if context is not None:
        print(f"next: {context.command_path} --help", file=sys.stderr)
    raise SystemExit(1) from None


def make_app() -> typer.Typer:
    """The application with every verb of this package."""
    made = typer.Typer(
        name="aoienet",
        cls=Verbs,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Binary neural networks for optical inspection: scan pictures of any size for defects, on any CPU.",
    )
    made.callback()(_root)
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        if not module.name.startswith("_"):
            importlib.import_module(f"{__name__}.{module.name}").register(made)
    return made


def _print_version(wanted: bool) -> None:
    if wanted:
        from aoienet import __version__

        print(f"aoienet {__version__}")
        raise typer.Exit(0)


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


app = make_app()


def main() -> None:
    """Entry point of the command `aoienet`."""
    app(prog_name="aoienet")

"""`drifa serve`: a model behind an address of this machine, for programs and, as a page, for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    model: Annotated[Path, typer.Argument(help="Run folder or model folder.")],
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="data.study=FOLDER, data.cache=FOLDER: where they are now, if a run was moved."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; another than 127.0.0.1 needs --token-file.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any that is free.", min=0, max=65535)] = 8000,
    token_file: Annotated[Path | None, typer.Option(help="File with what clients must send, 16 characters or more.")] = None,
    max_mb: Annotated[int, typer.Option(help="Largest request, MiB.", min=1, max=4096)] = 64,
    queue: Annotated[int, typer.Option(help="Most requests at a time.", min=1, max=1000)] = 16,
    timeout: Annotated[float, typer.Option(help="Longest time for an answer, seconds.", min=1)] = 120,
) -> None:
    """An HTTP interface and a page to try a model in the browser; nothing that is sent is stored. For research use."""
    from drifa.config import parse_override
    from drifa.errors import DrifaError
    from drifa.runs.places import Places

    try:
        from drifa.serving.limits import Limits
        from drifa.serving.run import serve as serve_model
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("fastapi", "uvicorn", "starlette", "python_multipart"):
            raise DrifaError(f"serving needs {error.name}: pip install 'drifa[serve]'") from None
        raise

    def ready(address: str) -> None:
        typer.echo(f"{model} answers at {address} (research only, not a medical device); end with Ctrl+C")

    places = Places.of([parse_override(word) for word in settings or ()])
    limits = Limits(body=max_mb * 2**20, waiting=queue, seconds=timeout)
    serve_model(model, host, port, token_file, limits, places, ready)

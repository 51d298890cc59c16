"""The routes: cases in, answers out, as JSON; see :mod:`drifa.serving.gate` for what is before them all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPBearer
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from drifa.prediction.predictor import Predictor
from drifa.serving.answering import answer_many, answer_together, explain_one
from drifa.serving.counts import Counts
from drifa.serving.describe import describe, form_of
from drifa.serving.desk import Desk
from drifa.serving.examples import examples_of, picture
from drifa.serving.forms import columns_of, many_sent, one_sent, pictures_of
from drifa.serving.gate import Gate, refused
from drifa.serving.limits import Limits, Refusal, is_loopback
from drifa.serving.multipart import close_form, read_form
from drifa.serving.page import FILES, content_of
from drifa.serving.schema import EXPLANATION, HEALTH, OF_FORMS, answer_of, answers_of, errors, responses
from drifa.serving.volumes import answer_volume
from drifa.version import __version__

NOTICE = "For research use only. Not a medical device."
_KINDS = {404: "not_found", 405: "method"}


def create_app(
    predictor: Predictor, limits: Limits | None = None, token: str | None = None, host: str = "127.0.0.1"
) -> FastAPI:
    """A server of one model; any ASGI server runs it, in one process.

    Args:
        predictor: The model.
        limits: What it takes on.
        token: What clients must say; None for nothing.
        host: Address that will be listened at.
    """
    limits = limits or Limits()
    desk, counts, model = Desk(limits), Counts(), describe(predictor, limits)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        desk.close()

    # The pages of FastAPI for people fetch scripts from elsewhere.
    # The gate in front checks the token; this tells the description of it.
    bearer = [Depends(HTTPBearer(auto_error=False, description="The text of the server's --token-file"))] if token else []
    app = FastAPI(
        title="drifa",
        version=__version__,
        description=NOTICE,
        dependencies=bearer,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.desk = desk
    own = {host, "localhost", "127.0.0.1", "[::1]", f"[{host}]"}
    app.add_middleware(Gate, limits=limits, counts=counts, token=token, hosts=own if is_loopback(host) else ())
    _say_no(app)
    nothing = {404: "There is nothing at this address"}
    if predictor.regions:
        _of_volumes(app, predictor, desk)
    else:
        _of_images(app, predictor, desk)

    @app.get("/v1/model", responses=responses({"type": "object"}))
    async def of_model() -> Response:
        """What the model answers from what, and its card."""
        return JSONResponse(model)

    @app.get(
        "/v1/examples/{number}/{modality}",
        include_in_schema=bool(model["examples"]),
        response_class=Response,
        responses={200: {"content": {"image/png": {}}}, **errors(nothing, {422: "The number is none"})},
    )
    async def example(number: int, modality: str) -> Response:
        """A picture to try the model with."""
        found = picture(number, modality) if examples_of(predictor) else None
        if found is None:
            raise HTTPException(404)
        return Response(found, media_type="image/png")

    @app.get("/health", responses=HEALTH)
    async def health() -> Response:
        """Whether the server takes requests."""
        return JSONResponse({"status": "closing" if desk.closing else "ok"}, 503 if desk.closing else 200)

    @app.get("/metrics", response_class=PlainTextResponse, responses=errors())
    async def metrics() -> Response:
        """Counts for Prometheus."""
        return PlainTextResponse(counts.text(desk.waiting), media_type="text/plain; version=0.0.4")

    for route in FILES:
        app.add_api_route(route, _file_of(route), include_in_schema=False)
    return app


def _of_images(app: FastAPI, predictor: Predictor, desk: Desk) -> None:
    """The routes of a model that answers about subjects."""
    of_forms, fields = responses(answer_of(predictor), OF_FORMS), _fields(predictor)
    of_batches, of_explanations = responses(answers_of(predictor), OF_FORMS), responses(EXPLANATION, OF_FORMS)

    def together(forms: list[FormData]) -> list[Any]:
        return answer_together(predictor, forms)

    @app.post("/v1/predict", responses=of_forms, openapi_extra=form_of(predictor))
    async def predict(request: Request) -> Response:
        """The answers for one case, as `drifa predict --json` gives a case."""
        async with desk.place() as place:
            form = await read_form(request, 2 * fields)
            place.at_end(lambda: close_form(form))
            return JSONResponse(await place.ask_together(form, together))

    @app.post("/v1/predict/batch", responses=of_batches, openapi_extra=form_of(predictor, "SUBJECT."))
    async def predict_batch(request: Request) -> Response:
        """The answers for some cases; those that cannot be answered are told in `failures`."""
        most = desk.limits.batch
        return await _asked(
            request, desk, 2 * fields * most, lambda form: answer_many(predictor, many_sent(form, predictor, most))
        )

    @app.post("/v1/explain", responses=of_explanations, openapi_extra=form_of(predictor))
    async def explain(request: Request, layer: str | None = None) -> Response:
        """HiResCAM of the predicted classes, absent modalities left absent; `layer` names another stage than the usual."""
        return await _asked(request, desk, 2 * fields, lambda form: explain_one(predictor, one_sent(form, predictor), layer))


def _of_volumes(app: FastAPI, predictor: Predictor, desk: Desk) -> None:
    """The routes of a model that segments volumes, one case after the other."""
    fields = _fields(predictor)

    @app.post("/v1/predict", responses=responses(answer_of(predictor), OF_FORMS), openapi_extra=form_of(predictor))
    async def predict(request: Request, masks: bool = False, slices: bool = False) -> Response:
        """The answers for one case, as `drifa predict --json` gives a case; `masks`, and `slices` to look at, on request."""

        def answered(form: FormData) -> dict[str, Any]:
            return answer_volume(predictor, one_sent(form, predictor), masks, slices)

        return await _asked(request, desk, 2 * fields, answered)

    @app.post("/v1/predict/batch", include_in_schema=False)
    async def predict_batch() -> Response:
        raise Refusal(404, "not_found", "this model answers volumes one case at a time; send each to POST /v1/predict")

    @app.post("/v1/explain", include_in_schema=False)
    async def explain() -> Response:
        raise Refusal(404, "not_found", "no maps of volumes are drawn; ask POST /v1/predict?masks=true for masks")


def _fields(predictor: Predictor) -> int:
    return len(pictures_of(predictor)) + len(columns_of(predictor)) + 1


async def _asked(request: Request, desk: Desk, most: int, job: Callable[[FormData], Any]) -> JSONResponse:
    """What a job makes of the form of a request, when its turn comes."""
    async with desk.place() as place:
        form = await read_form(request, most)
        place.at_end(lambda: close_form(form))
        return JSONResponse(await place.ask(lambda: job(form)))


def _file_of(route: str) -> Callable[[], Any]:
    content, kind = content_of(route)

    async def file() -> Response:
        return Response(content, media_type=kind)

    return file


def _say_no(app: FastAPI) -> None:
    """Every error of a route in the same form."""

    @app.exception_handler(Refusal)
    async def of_refusal(request: Request, error: Refusal) -> Response:
        return refused(error)

    @app.exception_handler(HTTPException)
    async def of_http(request: Request, error: HTTPException) -> Response:
        words = "there is nothing at this address; GET /openapi.json lists what there is"
        message = f"this address takes another method than {request.method}" if error.status_code == 405 else words
        return refused(Refusal(error.status_code, _KINDS.get(error.status_code, "http"), message), error.headers)

    @app.exception_handler(RequestValidationError)
    async def of_validation(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return refused(Refusal(422, "input", str(first["msg"]), str(first["loc"][-1])))

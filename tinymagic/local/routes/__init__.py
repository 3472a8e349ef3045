"""HTTP on one side, services on the other: one module per resource, each translates and decides nothing.

Every module exports ``ROUTES: list[starlette.routing.Route]``, made with `tinymagic.local.access.permissions.guarded`::

    async def show(request: Request, access: Access) -> Response:
        services: Services = request.app.state.services
        record = await in_thread(services.datasources.get, access.workspace, request.path_params["name"])
        return json_response(record)

    ROUTES = [guarded("/v0/datasources/{name}", show, methods=["GET"], needs=["DATASOURCES:READ"])]

`app.py` imports the modules named in its ``_ROUTE_MODULES``. Handlers are ``async``; whatever touches the engine or the
catalogue goes through `in_thread` (http.py), so that the event loop stays free. Errors are raised as `ApiError`.
Paths are written without a trailing slash; the application takes it off requests.

Beside the resources: `forms` and `reading` take parameters out of requests, `uploads` files. `reading` also answers
with rows, `replies` with what several resources show.
"""

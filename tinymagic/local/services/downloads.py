"""The file of an import that comes from a URL: fetched in the import's job, which can be cancelled meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import TYPE_CHECKING

from tinymagic.local.errors import BadRequest
from tinymagic.local.files.file_formats import file_format_of
from tinymagic.local.files.remote_files import RemoteFile, check_url, download
from tinymagic.local.files.spool import UNCOMPRESSED_BYTES, UploadError
from tinymagic.local.ingest.imports import DATASOURCES_PAGE, ImportRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.local.files.spool import Spool

    from .running_job import RunningJob

#: How often a download is asked whether it shall go on, seconds.
_CHECK_S = 0.1

#: Percent of the job that the download is.
_MOST_PERCENT = 90.0


def check_address(url: str) -> None:
    """Refuse a URL that nothing may be fetched from.

    Raises:
        BadRequest: with the reason.
    """
    try:
        check_url(url)
    except UploadError as error:
        raise BadRequest(str(error), documentation=DATASOURCES_PAGE) from error


def downloaded(job: RunningJob, request: ImportRequest, spool: Spool) -> ImportRequest:
    """Fetch the file that a request names by its URL, and return the request as if it had come with the file.

    Raises:
        BadRequest: it cannot be fetched.
        JobCancelled: somebody asked for the end of the job.
    """

    def on_bytes(done: int, total: int | None) -> None:
        job.check()
        if total:
            job.progress(_MOST_PERCENT * done / total)

    def work() -> RemoteFile:
        return download(request.parameters["url"], spool, most_bytes=UNCOMPRESSED_BYTES, on_bytes=on_bytes)

    try:
        remote = unless(job.check, work)
    except UploadError as error:
        raise BadRequest(str(error), documentation=DATASOURCES_PAGE) from error
    with remote.path.open("rb") as file:
        start = file.read(64)
    found = file_format_of(request.parameters.get("format", ""), remote.content_type, remote.file_name, start)
    return replace(request, upload=remote.path, file_format=found, file_name=remote.file_name)


def unless(check: Callable[[], None], work: Callable[[], RemoteFile]) -> RemoteFile:
    """Return what *work* does in a thread of its own, unless *check* raises meanwhile.

    A server that says nothing keeps a download waiting for long. Then it is left alone; it removes its file itself.
    """
    future: Future[RemoteFile] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="download", daemon=True).start()
    try:
        while not wait([future], timeout=_CHECK_S).done:
            check()
    except BaseException:
        future.add_done_callback(_remove_late)
        raise
    return future.result()


def _remove_late(done: Future[RemoteFile]) -> None:
    if not done.exception():
        done.result().path.unlink(missing_ok=True)

"""A bucket that files are read from: what is in it, and one file after the other, over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from tinymagic.local.connectors import CONNECTORS_PAGE
from tinymagic.local.connectors.listing import MOST_PAGE_BYTES, UnreadableListing, page_parameters, read_page
from tinymagic.local.connectors.signing import signed_url
from tinymagic.local.errors import BadRequest
from tinymagic.local.files.remote_files import download
from tinymagic.local.files.spool import UNCOMPRESSED_BYTES, UploadError
from tinymagic.local.sinks.buckets import Bucket

from .downloads import unless
from .sink_targets import masked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tinymagic.local.connectors.listing import RemoteObject
    from tinymagic.local.connectors.settings import BucketFiles
    from tinymagic.local.files.remote_files import RemoteFile
    from tinymagic.local.files.spool import Spool

    from .bucket_access import BucketAccess
    from .running_job import RunningJob

#: Files that a pattern may look at in one run.
MOST_LISTED = 1_000_000

_NOT_TOLD = "The details could show the value of an Environment Variable."


class FileGone(Exception):  # noqa: N818 - says what happened
    """A file that was listed is not there any more."""


@dataclass(frozen=True)
class RemoteBucket:
    """The files that a connector reads, at the other end of a connection.

    Attributes:
        files: which.
        access: the way to them.
        connection: its name, for errors.
        spool: where downloads go.
        hidden: values of Environment Variables that nothing may show.
    """

    files: BucketFiles
    access: BucketAccess
    connection: str
    spool: Spool
    hidden: tuple[str, ...] = ()

    def shown(self, key: str) -> str:
        """Return how people write the place of a key, printable and without values of Environment Variables."""
        text = "".join(char if char.isprintable() else "?" for char in self.files.uri(key))
        return masked(text if len(text) <= 300 else f"{text[:300]}...", self.hidden)

    def objects(self, job: RunningJob) -> Iterator[RemoteObject]:
        """List the files that are meant and not empty, in the order of their keys.

        Raises:
            BadRequest: the bucket cannot be listed; with the reason.
            JobCancelled: somebody asked for the end of the job.
        """
        listed, following, pattern = 0, "", self.files.pattern
        while True:
            page = read_page(self._page(job, page_parameters(pattern.prefix, following)))
            for each in page.objects:
                is_new = self.files.since is None or each.modified_at >= self.files.since
                if each.size_bytes and is_new and pattern.matches(each.key):
                    yield each
            listed += len(page.objects)
            if listed > MOST_LISTED:
                raise self._refusal(f"has over {MOST_LISTED:,} files below {pattern.prefix!r}. Use another prefix")
            if not page.following:
                return
            following = page.following

    def fetch(self, job: RunningJob, key: str, *, sample_bytes: int | None = None) -> RemoteFile:
        """Download a file, or its first bytes; whoever asked removes it.

        Raises:
            FileGone: it is not there any more.
            BadRequest: it cannot be fetched; with the reason.
            JobCancelled: somebody asked for the end of the job.
        """
        try:
            return self._download(job, key, {}, most_bytes=UNCOMPRESSED_BYTES, sample_bytes=sample_bytes)
        except UploadError as error:
            if error.status == 404:
                raise FileGone from error
            raise self._told(error) from None

    def _page(self, job: RunningJob, parameters: dict[str, str]) -> bytes:
        try:
            remote = self._download(job, "", parameters, most_bytes=MOST_PAGE_BYTES)
        except UploadError as error:
            if error.status == 404:
                raise self._refusal("does not exist") from None
            raise self._told(error) from None
        try:
            data = remote.path.read_bytes()
            read_page(data)
        except UnreadableListing as error:
            raise self._refusal(f"did not answer with a list of files, as S3 does: {str(error)[:200]}") from error
        finally:
            remote.path.unlink(missing_ok=True)
        return data

    def _download(
        self,
        job: RunningJob,
        key: str,
        parameters: dict[str, str],
        *,
        most_bytes: int,
        sample_bytes: int | None = None,
    ) -> RemoteFile:
        bucket = Bucket(self.files.scheme, self.files.bucket, "")
        moment = datetime.now(timezone.utc)
        url = signed_url(self.access.url(bucket, key), parameters, self.access.credentials, moment)
        return unless(
            job.check,
            lambda: download(
                url,
                self.spool,
                most_bytes=most_bytes,
                sample_bytes=sample_bytes,
                on_bytes=lambda done, total: job.check(),  # noqa: ARG005 - the signature of a callback
            ),
        )

    def _told(self, error: UploadError) -> BadRequest:
        if error.status in (400, 401, 403):
            return self._refusal(
                f"did not let the access key of the connection {self.connection!r} in (status {error.status}). Check "
                "the key, its secret, the region, and that the key may list the bucket and read its files"
            )
        if error.status in (301, 307):
            return self._refusal(
                f"is in another region than the connection {self.connection!r} says (status {error.status})"
            )
        return BadRequest(masked(str(error), self.hidden, _NOT_TOLD), documentation=CONNECTORS_PAGE)

    def _refusal(self, what: str) -> BadRequest:
        name = f"{self.files.scheme}://{self.files.bucket}"
        return BadRequest(masked(f"The bucket {name} {what}.", self.hidden, _NOT_TOLD), documentation=CONNECTORS_PAGE)

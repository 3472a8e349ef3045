"""What starting a copy, a sink or a population share: how parameters travel, and the job in the reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tinymagic.api.endpoints import LONGEST_URL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.api.jobs import Job


def asked_in_url(host: str, address: str, sent: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of `Resource._change` for the parameters of a run.

    They go into the URL, as the vendor's own clients send them; when it would be too long, into a form. Pure.
    """
    short = len(host) + len(address) + 1 + len(urlencode(list(sent.items()))) <= LONGEST_URL
    return {"query": sent} if short else {"form": sent}


def job_of(reply: Mapping[str, Any]) -> Job:
    """Return the job that a reply tells of."""
    from tinymagic.api.jobs import Job

    return Job.of(reply)

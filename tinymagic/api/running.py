"""What starting a copy, a sink or a population share: how parameters travel, and the job in the reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.api.long_parameters import fit_in_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.api.jobs import Job


def asked_in_url(host: str, address: str, sent: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of `Resource._change` for the parameters of a run.

    They go into the URL, as the vendor's own clients send them; when it would be too long, into a form. Pure.
    """
    return {"query": sent} if fit_in_url(host, address, sent) else {"form": sent}


def job_of(reply: Mapping[str, Any]) -> Job:
    """Return the job that a reply tells of."""
    from tinymagic.api.jobs import Job

    return Job.of(reply)

"""`mlworkflow export docker`: a Dockerfile and all that it copies; nothing but packages comes from elsewhere.

The image runs the source of this package as it is here, without installing it: a build would ask for a build tool that
no lock pins. Its user has a number, so that Kubernetes can tell that it is not root.
"""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote
from string import Template

from mlworkflow.core import io
from mlworkflow.exporting.subject import Export, Subject, beneath, source

PORT = 8000
USER = 10001
LOCK, SMALL_LOCK = Path("requirements.lock"), Path("requirements-serve.lock")

DOCKERFILE = Template("""\
# $words, served by HTTP. Made by `mlworkflow export docker`.
# To pin the base: --build-arg BASE=python:$python-slim@sha256:...
ARG BASE=python:$python-slim

FROM $${BASE} AS packages
COPY requirements.lock /build/
RUN python -m venv --without-pip /venv \\
 && pip --python /venv/bin/python install --no-cache-dir --no-deps --require-hashes$wheels -r /build/requirements.lock
COPY src /app/src
RUN python -m compileall -q /app/src

FROM $${BASE}
LABEL org.opencontainers.image.title="$name" org.opencontainers.image.version="$version"
ENV PATH=/venv/bin:$$PATH PYTHONPATH=/app/src PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=packages /venv /venv
COPY --from=packages /app/src /app/src
COPY bundle /app/bundle
WORKDIR /app
# The log of predictions and /tmp are all that is written: the rest may be read-only
RUN install -d -o $user -g $user /app/log
VOLUME /app/log
USER $user:$user
EXPOSE $port
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \\
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:$port/v2/health/ready', timeout=4)"]
# It can be reached from elsewhere, so it does not start without keys: MLWORKFLOW_KEYS, or --keys FILE
ENTRYPOINT ["python", "-m", "mlworkflow.cli", "serve", "--bundle", "bundle", "--log-folder", "log", \\
  "--host", "0.0.0.0", "--port", "$port"]
CMD ["--workers", "1"]
""")
IGNORED = "*\n!bundle\n!src\n!requirements.lock\n**/__pycache__\n"


def export(one: Subject) -> Export:
    """Return the folder; raises UnreadableError where the repository has no lock."""
    dockerfile = DOCKERFILE.substitute(
        words=one.words,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        wheels=" --only-binary :all:" if one.is_small else "",
        name=one.name,
        version=one.version,
        user=USER,
        port=PORT,
    )
    files = {
        "Dockerfile": dockerfile.encode(),
        ".dockerignore": IGNORED.encode(),
        "requirements.lock": io.read_bytes(SMALL_LOCK if one.is_small else LOCK),
        **beneath("bundle", one.files),
        **beneath("src/mlworkflow", source()),
    }
    return Export(f"an image of {one.words}", files, lambda folder: _next(one, folder))


def _next(one: Subject, folder: str) -> list[str]:
    return [
        f"docker build -t {one.image} {quote(folder)}",
        "mlworkflow key me --file keys.txt",
        "docker run --read-only --tmpfs /tmp --cap-drop ALL \\",
        f"  -p 127.0.0.1:{PORT}:{PORT} -v {one.name}-log:/app/log \\",
        f'  -e MLWORKFLOW_KEYS="$(paste -sd, keys.txt)" {one.image}',
    ]

# syntax=docker/dockerfile:1
FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/meshflow
COPY requirements/runtime.lock /src/requirements/runtime.lock
RUN /opt/meshflow/bin/pip install --require-hashes -r /src/requirements/runtime.lock
COPY pyproject.toml README.md LICENSE /src/
COPY meshflow_grpc /src/meshflow_grpc
RUN /opt/meshflow/bin/pip install --no-deps --no-build-isolation --no-index /src

FROM python:3.11.14-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin meshflow \
    && install --directory --owner=meshflow --group=meshflow --mode=0700 /data
COPY --from=build /opt/meshflow /opt/meshflow
ENV PATH=/opt/meshflow/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MESHFLOW_HOST=0.0.0.0 \
    MESHFLOW_PORT=8765 \
    MESHFLOW_LEDGER_DB=/data/ledger.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8765
# SIGTERM drains: readiness off, in-flight runs finish or are handed over, the ledger is flushed.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['MESHFLOW_PORT'] + '/health', timeout=2)"]
ENTRYPOINT ["meshflow"]
CMD ["serve"]

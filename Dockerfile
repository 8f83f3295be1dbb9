# `docker build --tag ser .` makes the image that answers; `--target tracking` MLflow's server.

FROM python:3.11-slim AS base
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1 \
    MLFLOW_DISABLE_TELEMETRY=true
# A plain user, with a number that a cluster can check.
RUN useradd --create-home --uid 10001 ser
WORKDIR /srv/ser
COPY constraints.txt ./

FROM base AS tracking
RUN pip install --constraint constraints.txt mlflow boto3 psycopg2-binary
USER 10001
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:5000/health', timeout=4)"]
ENTRYPOINT ["mlflow", "server", "--host", "0.0.0.0", "--port", "5000"]

# A pod of deploy/kubernetes/rayjob.yaml; the project, code and data, lies on the volume it mounts.
FROM base AS node
# KubeRay's probes ask with wget.
RUN apt-get update && apt-get install --yes --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml README.md LICENSE ./
RUN mkdir ser pipelines && touch ser/__init__.py pipelines/__init__.py \
    && pip install --constraint constraints.txt --editable '.[kubernetes,team]'
USER 10001

FROM base AS server
# What is imported is installed before the source, so that a change of the source installs nothing.
COPY pyproject.toml README.md LICENSE ./
RUN mkdir ser pipelines && touch ser/__init__.py pipelines/__init__.py \
    && pip install --constraint constraints.txt --editable .
COPY ser ser
COPY pipelines pipelines
COPY params.yaml ./
# A local store, where MLFLOW_TRACKING_URI names none, and whatever a mounted folder brings.
RUN install --directory --owner=ser mlruns
USER 10001
EXPOSE 5050
HEALTHCHECK --interval=30s --timeout=5s --start-period=180s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:5050/health', timeout=4)"]
ENTRYPOINT ["ser", "serve", "--host", "0.0.0.0", "--port", "5050"]

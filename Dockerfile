# One image for every service: the hub, its DAGs under Airflow, and the simulated systems.
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE}

WORKDIR /srv/oncehub
COPY .ci/installer.lock requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r installer.lock \
    && uv pip install --system --no-cache --compile-bytecode --require-hashes -r requirements.lock

# Volumes take the owner of the folder that they are mounted on.
RUN useradd --create-home --uid 1000 oncehub \
    && mkdir -p /srv/state/hub /srv/state/anchor /srv/state/airflow/logs /srv/state/systems/tls \
        /srv/state/systems/identity_providers /srv/state/identity_providers \
    && chown -R oncehub /srv/state

COPY connectors connectors
COPY mappings mappings
COPY schemas schemas
COPY oncehub oncehub
COPY dags dags
COPY stubs stubs
COPY demo demo
COPY .env.example pyproject.toml README.md LICENSE ./
# The command, and what Airflow finds providers by.
RUN uv pip install --system --no-cache --no-deps --no-build-isolation --editable .

# A database inside a container would be lost with it: a command that is given none says so.
ENV PYTHONUNBUFFERED=1 ONCEHUB_ROOT=/srv/oncehub ONCEHUB_HOME=/srv/state/hub \
    ONCEHUB_EMBEDDED=off AIRFLOW_HOME=/srv/state/airflow
USER oncehub
CMD ["oncehub", "--help"]

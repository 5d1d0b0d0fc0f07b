# One image for every service: the hub, its DAGs under Airflow, and the simulated systems.
FROM python:3.13-slim

WORKDIR /srv/oncehub
COPY .ci/installer.lock requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r installer.lock \
    && uv pip install --system --no-cache --require-hashes -r requirements.lock

COPY connectors connectors
COPY mappings mappings
COPY schemas schemas
COPY oncehub oncehub
COPY dags dags
COPY stubs stubs
COPY demo demo
RUN useradd --create-home oncehub \
    && mkdir -p /srv/state/hub /srv/state/anchor /srv/state/airflow/logs /srv/state/systems \
    && chown -R oncehub /srv/state

ENV PYTHONPATH=/srv/oncehub PYTHONUNBUFFERED=1 ONCEHUB_ROOT=/srv/oncehub ONCEHUB_HOME=/srv/state/hub
USER oncehub
CMD ["python", "-m", "oncehub.cli", "--help"]

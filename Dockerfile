# One image for every process of the gateway; compose.yaml and the Procfile say which one it runs.
FROM python:3.11.11-slim-bookworm AS build
WORKDIR /build
COPY requirements.txt .
# The file is complete and pinned with hashes, so nothing is left to resolve.
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements.txt

FROM python:3.11.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin gateway
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY wsgi.py alembic.ini ./
COPY config config
COPY gateway gateway
COPY tasks tasks
COPY configservice configservice
COPY migrations migrations
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Compiled here once: the user below may not write, so every process would compile it again at its start.
RUN python -m compileall -q .
USER gateway
EXPOSE 3001 8012
CMD ["gunicorn", "-c", "config/gunicorn.conf.py", "wsgi:app"]

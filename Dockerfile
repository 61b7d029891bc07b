# syntax=docker/dockerfile:1
# docker build -t rdbtool . && docker run --rm -v /srv/backup:/data:ro rdbtool validate /data/dump.rdb
FROM python:3.13-slim AS build
WORKDIR /src
# What pip brings is bound by pyproject.toml; Debian's packages are those of the image's release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc git libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY . .
RUN python -m venv /opt/rdbtool \
    && /opt/rdbtool/bin/pip install --no-cache-dir ".[lzf,lz4]" \
    && rm -rf /opt/rdbtool/lib/python3.13/site-packages/pip*

FROM python:3.13-slim
COPY --from=build /opt/rdbtool /opt/rdbtool
ENV PATH=/opt/rdbtool/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# No account and no home: it reads what it is given, and writes where it is told.
USER 65534:65534
WORKDIR /data
ENTRYPOINT ["rdbtool"]
CMD ["--help"]

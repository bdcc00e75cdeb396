# One node. Two stages: the first bundles, the second holds Node, one file and two native packages, and no tool.
#
#   with a registry     docker build -t aethel/node:dev .
#   without one         scripts/base-image.sh && docker build --build-arg BASE_IMAGE=aethel/base:24 -t aethel/node:dev .
#   behind a proxy that opens TLS, on a base image that does not trust it:  --secret id=ca,src=/path/to/ca.pem
ARG BASE_IMAGE=node:24-bookworm-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /build
# What changes seldom comes first: the packages are fetched anew only when the lock file changes.
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm,sharing=locked \
    --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
    npm ci --no-audit --no-fund
COPY scripts/build.ts scripts/build.ts
COPY node node
RUN node scripts/build.ts

FROM ${BASE_IMAGE} AS node
# Volumes take over the owner of the directory that they cover; the unprivileged user must be able to write there.
RUN install -d -o 1000 -g 1000 -m 0750 /var/lib/aethel && install -d -o 1000 -g 1000 -m 0755 /run/aethel
COPY --from=build /build/dist /app
WORKDIR /app
# By itself the room for young objects grows to 64 MB at a start with many records, and stays. Reads and writes are as quick
# with less.
ENV NODE_OPTIONS=--max-semi-space-size=4
ENV NODE_ENV=production \
    AETHEL_STATE_DIR=/var/lib/aethel \
    AETHEL_HTTP_HOST=0.0.0.0 \
    AETHEL_HTTP_PORT=8000 \
    AETHEL_P2P_LISTEN=/ip4/0.0.0.0/tcp/9000 \
    AETHEL_LOG_FORMAT=json
VOLUME /var/lib/aethel
EXPOSE 8000 9000
USER 1000:1000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$AETHEL_HTTP_PORT && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["node", "--enable-source-maps", "/app/aethel-node.mjs"]

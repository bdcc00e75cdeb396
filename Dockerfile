# One node. The first stage bundles; the image holds Node, the bundle, two native packages and the bundle as V8 compiled it, and no tool.
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

FROM ${BASE_IMAGE} AS bare
# A volume takes over the owner of the directory that it covers; the unprivileged user must be able to write there. There is no
# VOLUME: it would make an anonymous one wherever none is named, and state in it is lost from sight with its container.
RUN install -d -o 1000 -g 1000 -m 0750 /var/lib/aethel && install -d -o 1000 -g 1000 -m 0755 /run/aethel
COPY --from=build /build/dist /app
WORKDIR /app
# By itself the room for young objects grows to 64 MB at a start with many records, and stays. Reads and writes are as quick
# with less.
# SIGUSR1 opens no debugger, also in the moment before the node handles it.
ENV NODE_OPTIONS="--max-semi-space-size=4 --disable-sigusr1"
ENV NODE_ENV=production \
    AETHEL_STATE_DIR=/var/lib/aethel \
    AETHEL_HTTP_HOST=0.0.0.0 \
    AETHEL_HTTP_PORT=8000 \
    AETHEL_P2P_LISTEN=/ip4/0.0.0.0/tcp/9000 \
    AETHEL_LOG_FORMAT=json
EXPOSE 8000 9000
USER 1000:1000
STOPSIGNAL SIGTERM
# Of what a check costs, 20 ms of a core, the engine takes most, to bring a process into the container; an idle node counts it too.
HEALTHCHECK --interval=30s --timeout=3s --start-period=20s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$AETHEL_HTTP_PORT && printf 'GET /api/lattice/p2p/status HTTP/1.0\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"]
ENTRYPOINT ["node", "/app/aethel-node.mjs"]

# A node that starts and stops leaves behind what V8 made of its source; a third of a start is making it. The cache is good for
# this user, path and V8 only, and a node that cannot use it compiles as ever.
FROM bare AS started
RUN export NODE_COMPILE_CACHE=/tmp/compiled AETHEL_STATE_DIR=/tmp/state AETHEL_HTTP_HOST=127.0.0.1 AETHEL_P2P_LISTEN=/ip4/127.0.0.1/tcp/0; \
    node aethel-node.mjs keygen --out /tmp/cluster.key && export AETHEL_CLUSTER_KEY_FILE=/tmp/cluster.key; \
    node aethel-node.mjs > /tmp/log & \
    for i in $(seq 300); do if grep -q 'LATTICE READY' /tmp/log; then break; fi; sleep 0.1; done; \
    kill "$!" && wait "$!" && chmod -R a+rX /tmp/compiled && test -n "$(ls /tmp/compiled)"

FROM bare AS node
COPY --from=started --chown=0:0 /tmp/compiled /app/compiled
ENV NODE_COMPILE_CACHE=/app/compiled

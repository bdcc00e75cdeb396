# The side container of the network faults: it joins a node's network namespace, alone has NET_ADMIN there, and loads
# nftables rules. The node image itself has neither the tools nor the privilege. It also holds the library that makes a clock
# wrong, which a volume lends to the nodes.
#
#   with a registry     docker build -t aethel/faults:1 -f chaos/cluster/faults.Dockerfile chaos/cluster
#   without one         scripts/base-image.sh (the same build, on the base image it made)
ARG BASE=debian:bookworm-slim
FROM ${BASE}
USER root
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nftables iproute2 libfaketime \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log \
 && nft --version && ip -V && ls /usr/lib/*/faketime/libfaketimeMT.so.1
# It waits to be told what to do (docker exec … nft -f -). With `init: true` it ends at once when it is stopped.
CMD ["sleep", "infinity"]

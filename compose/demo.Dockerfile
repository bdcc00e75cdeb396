# The control room beside the nodes of docker compose (compose/demo.yml): the lab and the page, from this repository.
ARG BASE_IMAGE=node:24-bookworm-slim
FROM ${BASE_IMAGE}
WORKDIR /room
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm,sharing=locked npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY node node
COPY sim sim
COPY dashboard dashboard
COPY chaos chaos
# The page is built with the image: the container's own files are read-only.
RUN node --input-type=module -e "await (await import('/room/dashboard/build.ts')).buildPage()"
EXPOSE 7000
ENTRYPOINT ["node", "chaos/demo/main.ts", "--cluster", "compose", "--port", "7000"]

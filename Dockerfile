# One recipe for every image of ours. SERVICE is the folder of a workspace package that has a main.ts:
#   docker build --target service --build-arg SERVICE=services/ingest .
#
# An image keeps the workspace's shape: Node does not strip types from files below a node_modules folder, which is where
# `pnpm deploy` would put them. Its folders belong to root, and its process does not run as root.

ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS pnpm
RUN npm install --global --no-audit --no-fund --no-update-notifier --allow-scripts=pnpm pnpm@12.21.0
WORKDIR /app

# Only what decides which packages are installed. This stage runs at each change of a source, but as long as it comes to
# the same result the installation below is taken from the cache.
FROM pnpm AS manifests
COPY . .
RUN find . -type f ! -name package.json ! -name pnpm-lock.yaml ! -name pnpm-workspace.yaml -delete && \
    find . -type d -empty -delete

# What the service needs from the registry, and the list of the workspace packages that it depends on.
FROM pnpm AS modules
ARG SERVICE
COPY --from=manifests /app .
RUN --mount=type=cache,id=clicktally-pnpm,target=/pnpm-store,sharing=locked \
    pnpm install --frozen-lockfile --prod --filter "{./${SERVICE}}..." \
      --store-dir /pnpm-store --package-import-method copy && \
    pnpm --filter "{./${SERVICE}}..." list --depth -1 --parseable > /packages && \
    find . -type f -not -path '*/node_modules/*' -delete && \
    find . -type d -empty -not -path '*/node_modules/*' -delete && \
    chmod -R a+rX,go-w .

# The sources of the service and of those packages, and no other: ingest's image has no code for the database.
FROM pnpm AS sources
COPY --from=modules /packages /packages
RUN --mount=type=bind,target=/source \
    while read -r package; do \
      mkdir -p "$package" && cp -R "/source${package#/app}/." "$package" || exit 1; \
    done < /packages && \
    chmod -R a+rX,go-w .

FROM ${NODE_IMAGE} AS service
ARG SERVICE
COPY --from=modules /app /app
COPY --from=sources /app /app
WORKDIR /app/${SERVICE}
# The sources with their types stripped, and compiled: without it each start loads what strips them, and keeps it
# (local/node-services.ts). Made here, since a container's root is read-only: every module is loaded, and the first that runs
# ends the process. By the user who is to find it, for the folder's name tells whose it is. A CPU with other abilities, or
# another version of Node, does without.
ENV NODE_COMPILE_CACHE=/compile-cache
RUN install -d -o node -g node "$NODE_COMPILE_CACHE" && \
    setpriv --reuid node --regid node --clear-groups \
      node --input-type=module -e 'import "data:text/javascript,process.exit()"; import "./main.ts"' && \
    chown -R root:root "$NODE_COMPILE_CACHE" && chmod -R a+rX,go-w "$NODE_COMPILE_CACHE"
USER node
EXPOSE 3000
# The same as in local/node-services.ts, which says why.
ENV MALLOC_ARENA_MAX=2
CMD ["node", "--max-semi-space-size=16", "--max-old-space-size=384", "main.ts"]

# A new volume takes its owner from the folder that it is mounted over: with these the passwords are made without root.
FROM service AS secrets
USER root
RUN mkdir /secrets && cd /secrets && \
    install -d -o node -g node api ingest migrate operator postgres processor rabbitmq
USER node
CMD ["node", "main.ts", "/secrets"]

# Builds the images of every service and of nginx. SERVICE is the folder of a workspace package that has a main.ts:
#   docker build --target service --build-arg SERVICE=services/ingest .
#
# The image keeps the folder structure of the workspace, because Node does not strip types from files below node_modules, where
# `pnpm deploy` would put them. All files belong to root, but the process does not run as root.

ARG NODE_IMAGE=node:24-bookworm-slim
ARG NGINX_IMAGE=nginx:1.30

FROM ${NODE_IMAGE} AS pnpm
RUN npm install --global --no-audit --no-fund --no-update-notifier --allow-scripts=pnpm pnpm@12.21.0
WORKDIR /app

# Only the files that determine which packages are installed. This stage runs after every source change, but as long as its
# result is the same, the installation below comes from the cache.
FROM pnpm AS manifests
COPY . .
RUN find . -type f ! -name package.json ! -name pnpm-lock.yaml ! -name pnpm-workspace.yaml -delete && \
    find . -type d -empty -delete

# Installs the service's dependencies from the registry, and lists the workspace packages that it depends on.
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

# The sources of the service and of those packages only: the image of ingest has no database code.
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
# A compile cache of the sources without types. Otherwise each start loads the type stripper and keeps it in memory
# (local/services/node-services.ts). The cache is created here, because a container's root file system is read-only: the command
# loads every module, and the first one that runs exits the process. It runs as the same user as the service, because the name of
# the cache folder contains the user id. A different CPU or version of Node does not use the cache.
ENV NODE_COMPILE_CACHE=/compile-cache
RUN install -d -o node -g node "$NODE_COMPILE_CACHE" && \
    setpriv --reuid node --regid node --clear-groups \
      node --input-type=module -e 'import "data:text/javascript,process.exit()"; import "./main.ts"' && \
    chown -R root:root "$NODE_COMPILE_CACHE" && chmod -R a+rX,go-w "$NODE_COMPILE_CACHE"
USER node
EXPOSE 3000
# The same as in local/services/node-services.ts, which gives the reason.
ENV MALLOC_ARENA_MAX=2
CMD ["node", "--max-semi-space-size=16", "--max-old-space-size=384", "main.ts"]
# Last, so that a new version changes no other layer.
ARG VERSION=dev
ARG REVISION=
LABEL org.opencontainers.image.title="Clicktally ${SERVICE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"

# A new volume gets the owner of the folder that it is mounted on, so the passwords can be written without root. The user of
# nginx's image has the id 101.
FROM service AS secrets
USER root
RUN node --input-type=module -e 'import { secretFolders } from "./secrets.ts"; console.log(secretFolders.join("\n"))' \
      > /tmp/folders && \
    install -d -o 101 -g 101 -m 0700 /nginx-state && install -d -o node -g node -m 0700 /archive && mkdir /secrets && cd /secrets && xargs install -d -o node -g node < /tmp/folders && rm /tmp/folders
USER node
CMD ["node", "main.ts", "/secrets"]

# The dashboard's files, for nginx.
FROM ${NODE_IMAGE} AS pages
COPY --from=modules /app /app
COPY --from=sources /app /app
# web/tsconfig.json extends it.
COPY tsconfig.json /app/
WORKDIR /app/web
RUN node build/main.ts /pages && chmod -R a+rX,go-w /pages

FROM ${NGINX_IMAGE} AS nginx
# docker-compose.yml mounts these three, so that a change needs no new image; elsewhere they come from here.
COPY infra/nginx/nginx.conf.template /etc/nginx/templates/
COPY infra/nginx/settings.envsh /docker-entrypoint.d/15-settings.envsh
COPY infra/nginx/self-signed.sh /usr/local/lib/clicktally/
COPY --from=pages /pages /usr/share/clicktally/pages
ARG VERSION=dev
ARG REVISION=
LABEL org.opencontainers.image.title="Clicktally nginx" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"

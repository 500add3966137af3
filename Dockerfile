# One executable in an image without shell or package manager. The base must
# have glibc, which what `deno compile` makes needs (so no Alpine), and libgcc:
# distroless/cc is the smallest that has both and the usual authorities for TLS.
FROM denoland/deno:debian-2.9.6 AS build
WORKDIR /build
COPY deno.json deno.lock main.ts ./
COPY src ./src
# What --version says; docker build --build-arg FRAUDSTREAM_COMMIT=$(git rev-parse --short HEAD)
ARG FRAUDSTREAM_COMMIT=
RUN echo "export const COMMIT: string = \"$FRAUDSTREAM_COMMIT\";" > src/cli/commit.ts
# What the roles on Kafka and Cassandra need and no more: the network, their own
# settings in the environment, passwords and certificates as secrets. They have
# no files, so nothing may be written.
RUN deno compile --frozen --no-prompt --allow-net \
  '--allow-env=FRAUDSTREAM_*,KAFKAJS_*' --allow-read=/run/secrets \
  --include src/roles/role_worker.ts \
  --include src/api/api_worker.ts \
  --include src/api/http/server_worker.ts \
  --include src/dashboard/server/dashboard_worker.ts \
  --include src/learning/fit/fit_worker.ts --output fraudstream main.ts

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/fraudstream /usr/local/bin/fraudstream
ENTRYPOINT ["/usr/local/bin/fraudstream"]
CMD ["help"]

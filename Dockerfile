# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# The caches keep dependencies built between builds. Cargo goes by modification times, and against a cached target/ those
# of a checkout can be older than a build of other code: our own sources are always taken as new.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    find src actors migrations -type f -exec touch {} + && \
    cargo build --release --locked --bin nexus-hub && \
    cp target/release/nexus-hub /usr/local/bin/nexus-hub


FROM debian:bookworm-slim
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates && \
    rm -rf /var/lib/apt/lists/*
# A number, so that an orchestrator can tell that it is not root. data/ is for the embedded SQLite: mount a volume there.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin nexus && \
    install -d -o nexus -g nexus /app/data
WORKDIR /app
# Migrations are in the binary; settings are read from the working directory.
COPY config config
COPY --from=build /usr/local/bin/nexus-hub /usr/local/bin/nexus-hub

USER 10001:10001
ENV APP_ENV=production HOST=0.0.0.0 PORT=3000
EXPOSE 3000
# By bash alone: the image has no curl, and needs none otherwise.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$PORT && printf 'GET /health/ready HTTP/1.0\\r\\n\\r\\n' >&3 && read -r -t 3 _ status _ <&3 && [ \"$status\" = 200 ]"]
ENTRYPOINT ["nexus-hub"]
CMD ["serve"]

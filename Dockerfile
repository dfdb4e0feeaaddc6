# syntax=docker/dockerfile:1
#
#   docker build -t waystation .
#   docker run --rm waystation doctor
#
# FEATURES: `full` brings every backend and the clouds; see crates/waystation/Cargo.toml.

FROM rust:1.91-bookworm AS build
ARG FEATURES=full
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --package waystation --bin waystation --features "${FEATURES}" \
    && install -D target/release/waystation /out/waystation

# With a shell: stages of type `exec` run programs.
FROM debian:bookworm-slim
# The newest certificates and time zones of the release are wanted, whichever these are.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/waystation --create-home waystation
COPY --from=build /out/waystation /usr/local/bin/waystation
USER 10001:10001
# The working directory: waystation.toml, .env, and the store where none is named.
WORKDIR /var/lib/waystation
VOLUME /var/lib/waystation
# Within a container, this machine's own address is reached by nobody else. On others a server asks
# for tokens: `waystation tokens add NAME --role admin` makes the first.
ENV WAYSTATION_LISTEN_HOST=0.0.0.0 \
    WAYSTATION_LOG_FORMAT=json
EXPOSE 7280
# Asks whichever server listens here by these settings; one of engines alone needs
# WAYSTATION_ENGINE_SERVE=true.
HEALTHCHECK --interval=15s --timeout=12s --start-period=20s --retries=3 \
    CMD ["waystation", "health", "--live"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["waystation"]
CMD ["serve"]

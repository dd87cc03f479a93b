# The image of all three processes: static binaries and what they read, no shell, nobody's root.
# «bin/web» is what it runs unless told otherwise; «bin/worker» and «bin/countersign migrate» are the Procfile's other two.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
# With .git, from which the binaries know their revision.
COPY . .
RUN make build

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/local/go/lib/time/zoneinfo.zip /zoneinfo.zip
COPY --from=build /src/bin/web /src/bin/worker /src/bin/countersign /bin/
WORKDIR /
ENV ZONEINFO=/zoneinfo.zip PORT=8080
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
# Of web. A worker's is «/bin/countersign health http://127.0.0.1:WORKER_PORT/readyz»: see compose.yaml.
HEALTHCHECK --interval=15s --timeout=4s --start-period=20s --retries=3 CMD ["/bin/countersign", "health"]
CMD ["bin/web"]

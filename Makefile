# Short names for what people do here. PKG=./internal/clinic and RUN=TestName narrow «make test» and «make bench».
PKG ?= ./...
RUN ?=
LONG ?=

# What «make chaos» may be told: for how long the faults last, and which schedule of them. BREAK seeds a fault into the product.
FOR ?= 60s
SEED ?=
BREAK ?=

# What «make test» compiles, with progress, while the servers get ready: programs themselves are left to the tests that need them.
WARM = $(if $(filter ./...,$(PKG)),./internal/...,$(PKG))
TOOL = CGO_ENABLED=0 go tool -modfile=tools/go.mod

.PHONY: run test check reset build sbom watch bench chaos generate local

run: local
	@bin/local run

test: export CGO_ENABLED = 1
test: local
	@bin/local exec -build='-race $(WARM)' -- go test -race -timeout 40m $(if $(RUN),-run '$(RUN)') $(PKG)

check:
	@echo 'check: gofmt' && files=$$(gofmt -l *.go cmd deploy docs internal) && if [ -n "$$files" ]; then echo "not formatted: $$files"; exit 1; fi
	@echo 'check: go vet' && go vet ./... && go vet -tags=faultpoints ./internal/faultpoint
	@echo 'check: staticcheck (compiled on its first use: half a minute)' && $(TOOL) staticcheck ./...
	@echo 'check: sqlc diff (the same)' && $(TOOL) sqlc diff

reset: local
	@bin/local reset

# Static, so that an image needs nothing else in it.
build:
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

# What is in the two processes and the tool, down to each module's version, as CycloneDX.
sbom:
	@mkdir -p bin && for program in web worker countersign; do \
		go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 app -json -licenses -main cmd/$$program -output bin/$$program.cdx.json . || exit 1; done

# make run, begun anew after each change. air is GPL: a tool that is run, never a part of what is built.
watch:
	@go run github.com/air-verse/air@v1.67.4

# The engine's table, some minutes; LONG=1 makes 100,000 deliveries of it. PKG=./internal/road and others have benches of their own.
bench: local
	@BENCH_LONG=$(LONG) bin/local exec -durable -- go test -timeout 3h -run '^$$' -bench '$(if $(RUN),$(RUN),.)' -benchmem \
		$(if $(filter ./...,$(PKG)),./internal/bench,$(PKG))

chaos: local
	@bin/local build -o bin/ ./cmd/web ./cmd/worker ./cmd/countersign
	@bin/countersign chaos --for $(FOR)$(if $(SEED), --seed $(SEED))$(if $(BREAK), --break $(BREAK))

generate:
	$(TOOL) sqlc generate

local:
	@[ -x bin/local ] || echo 'building bin/local: a few seconds, more on the first time'
	@go build -buildvcs=false -o bin/local ./cmd/local

# make          builds the three programs into bin/
# make demo     installs what is missing and plays the whole thing, offline
# make test     installs what is missing and runs every check and test
# make matrix   rotates in every cell of ways, factors, forms and escalations, and
#               prints the counts
# make lint     gofmt, go vet (Linux and macOS), staticcheck, govulncheck where it can
# make bench    every figure of the README's section on performance, in 10 minutes
#               (README=1 puts them there)
# make soak     the fault run, KILLS kills of the daemon (SEED=N repeats one), and
#               the fuzzers, FUZZTIME each
# make package  a .deb and an .rpm of this machine's kind, in dist/ (DIST)
# make clean    removes bin/ and dist/

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -X rotd/ipc.BuildVersion=$(VERSION)
FUZZTIME ?= 60s
DIST ?= dist
KILLS ?= 500
SEED ?= 0

# check is lint without its question to the outside.
.PHONY: all demo test matrix lint check bench soak package clean FORCE
all: bin/rotd bin/rot bin/npm-sandbox

bin/rotd: FORCE
	go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/rotd

# The helper stays tiny: no cgo, no symbols, no function of ours copied into its
# callers, no gaps between functions. The tests of its size and start read these lines.
SMALL_GC := rotd/...=-l
SMALL_LD := -s -w -funcalign=4
# Where rot begins, on the systems that helper/early is for.
EARLY_LD := -E rotd/helper/early.entry
EARLY := $(if $(filter linux/amd64 linux/arm64,$(shell go env GOOS)/$(shell go env GOARCH)),$(EARLY_LD))
bin/rot: FORCE
	CGO_ENABLED=0 go build -trimpath -gcflags '$(SMALL_GC)' -ldflags '$(SMALL_LD) $(EARLY) $(LDFLAGS)' -o $@ ./cmd/rot

bin/npm-sandbox: FORCE
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/npm-sandbox

demo: all
	.ci/tools.sh demo
	packaging/demo.sh

test:
	.ci/tools.sh test
	$(MAKE) check
	go test -race -timeout 30m -skip '^TestMatrix$$' ./...
	$(MAKE) matrix

matrix:
	@mkdir -p bin
	@go test -race -count 1 -timeout 45m -v -run '^TestMatrix$$' ./daemon >bin/matrix.log 2>&1 || { cat bin/matrix.log; exit 1; }
	@grep -oE 'the matrix took .*|[0-9]+ cells by .*' bin/matrix.log

lint: check
	.ci/vulncheck.sh

check:
	.ci/tools.sh test
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt wants:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	GOOS=darwin go vet ./...
	GOARCH=arm64 go vet ./helper/early
	.tools/bin/staticcheck -checks all ./...

bench: all
	.ci/tools.sh bench
	go run ./packaging/bench $(if $(README),-readme README.md)

# Each fuzzer by itself: go test fuzzes one at a time.
soak:
	go test -race -count 1 -timeout 90m -v -run '^TestFaultRun$$' ./cmd -kills $(KILLS) -seed $(SEED)
	@for f in $$(git grep -hoE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed 's/^func //'); do \
	  pkg=./$$(dirname $$(git grep -lE "^func $$f\(" -- '*_test.go' | head -n 1)); \
	  echo "$$pkg $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzzminimizetime 1s -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	done

# The same commit makes the same packages: no time, place or machine gets in.
RELEASE := -trimpath -buildvcs=false
RELEASE_LD := -s -w -buildid= $(LDFLAGS)
package:
	.ci/tools.sh package
	rm -rf $(DIST)/root
	go build $(RELEASE) -ldflags '$(RELEASE_LD)' -o $(DIST)/bin/rotd ./cmd/rotd
	CGO_ENABLED=0 go build $(RELEASE) -gcflags '$(SMALL_GC)' -ldflags '$(SMALL_LD) $(EARLY) $(RELEASE_LD)' -o $(DIST)/bin/rot ./cmd/rot
	go run ./packaging/build -bin $(DIST)/bin -out $(DIST) -version $(VERSION) -epoch $$(git log -1 --format=%ct)

clean:
	rm -rf bin dist

FORCE:

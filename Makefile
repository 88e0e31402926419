# Every verb is one line; what is longer than a line is in tools/.

.PHONY: help build run demo test test-long fuzz defects bench bench-lib simulate vm bench-sched image publish rootfs release install
help:    ; @sed -n 's/^\([a-z-]*\):.* [#] /\1\t/p' Makefile | expand -t 12
build:   ; @tools/need.sh build && cargo build # everything but the scheduler, for development
run:     build ; @$(if $(filter mongodb,$(STORE)),tools/mongo.sh &&) STORE=$(STORE) target/debug/run # both daemons and two pods on this machine, until Ctrl-C (STORE=mongodb: users and strategies on a server)
demo:    ; @NATIVE=$(NATIVE) tools/demo.sh # the same without hands, from login to removal; then in figures what the kernel makes of it, in a VM (NATIVE=1: here)
test:    ; @tools/need.sh test && tools/test.sh # format, lints, licences, all tests
test-long: ; @tools/need.sh test && tools/test-long.sh # what the tests do in small, at length: hours
fuzz:    ; @tools/need.sh test && tools/fuzz.sh $${FUZZ_SECONDS:-60} # every fuzz target for FUZZ_SECONDS (60)
defects: ; @tools/need.sh test && tools/defects.sh # every planted defect must be caught by the test it names
bench:   ; @tools/need.sh build && cargo build --release -q -p gthulhu-benches -p gthulhu-dm && target/release/ratio # every goal of speed against its rival, in turns; minutes
bench-lib: ; @tools/need.sh bench-lib && cargo build --release -q -p gthulhu-benches -p gthulhu-benches-bpf && target/release/bench-lib && target/release/bench-bpf # the goals of the library, of its C functions and of its sources of processes
simulate: ; @tools/need.sh build && cargo build --release -q -p gthulhu-benches -p gthulhu-manager && target/release/simulate --nodes $(or $(NODES),1000) --pods $(or $(PODS),100000) # one manager against NODES (1000) decision makers and PODS (100000) pods
vm:      ; @tools/need.sh vm && gthulhu-scx/vm/run.sh $(VM) . '$(subst ','\'',$(value CMD))' # CMD='...' as root in a VM whose kernel has sched_ext; VM='--kernel 7.3' and other options: gthulhu-scx/vm/run.sh
bench-sched: ; @tools/need.sh bench-sched && gthulhu-scx/vm/bench.sh $(ROWS) # the scheduler against the kernel's own, in a VM whose clock counts instructions: up to an hour
release: ; @tools/need.sh image && cargo build --release --locked -p gthulhu-manager -p gthulhu-dm -p gthulhu-scx -p gthulhu-capi # what is installed: both daemons, the scheduler and the library for C, optimised
install: ; @DESTDIR='$(DESTDIR)' PREFIX='$(or $(PREFIX),/usr/local)' tools/install.sh # what `make release` has built, and the library for C: programs, libgthulhu with its header, manual pages, completions, units and configuration, below PREFIX (/usr/local)
image:   ; @TAGS='$(TAGS)' PUSH='$(PUSH)' tools/image.sh # the four container images, with docker or podman (TAGS='1.2.3 latest': named for the registry too; PUSH=1: and sent there)
publish: ; @REF='$(or $(REF),$(GITHUB_REF))' PUSH=1 tools/image.sh # the same for a release, tagged by REF (refs/heads/main, refs/tags/v1.2.3) and pushed
rootfs:  ; @tools/need.sh rootfs && tools/rootfs.sh --smoke # the images' file systems without an engine, and their programs started in them

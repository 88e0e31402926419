# Every verb is one line; what is longer than a line is in tools/.

.PHONY: help build run demo test defects
help:    ; @sed -n 's/^\([a-z]*\):.* [#] /\1\t/p' Makefile | expand -t 12
build:   ; @tools/need.sh build && cargo build --workspace # everything, for development
run:     build ; @target/debug/run # both daemons and two pods on this machine, until Ctrl-C
demo:    build ; @target/debug/demo # the same without hands: one strategy from login to removal, checked against the kernel
test:    ; @tools/need.sh test && tools/test.sh # format, lints, licences, all tests
defects: ; @tools/need.sh test && tools/defects.sh # every planted defect must be caught by the test it names
